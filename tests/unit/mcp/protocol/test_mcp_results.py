"""What the modern era adds to results."""

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.results import CacheHint, cache_hint_of, input_required, stamped, type_of

SERVER = {"name": "s", "version": "1"}


def test_a_result_is_stamped():
    assert stamped({"tools": []}, SERVER, CacheHint(5, "public")) == {
        "resultType": "complete",
        "tools": [],
        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER},
        "ttlMs": 5,
        "cacheScope": "public",
    }


def test_what_a_result_says_itself_stays():
    own = {"ttlMs": 1, "cacheScope": "private", "_meta": {"a": 1}}
    result = stamped(own, SERVER, CacheHint(5, "public"))
    assert (result["ttlMs"], result["cacheScope"]) == (1, "private")
    assert result["_meta"]["a"] == 1
    assert own["_meta"] == {"a": 1}


def test_only_a_complete_result_can_be_cached():
    asking = stamped(input_required({"a": {"method": "roots/list"}}, "sealed"), SERVER, CacheHint())
    assert type_of(asking) == "input_required"
    assert "ttlMs" not in asking
    assert (asking["inputRequests"], asking["requestState"]) == ({"a": {"method": "roots/list"}}, "sealed")


def test_a_result_of_an_older_server_is_complete():
    assert type_of({}) == "complete"


def test_cache_hints_are_read_with_care():
    assert cache_hint_of({"ttlMs": 7, "cacheScope": "public"}) == CacheHint(7, "public")
    assert cache_hint_of({"ttlMs": 7}) == CacheHint(7, "private")
    assert [
        cache_hint_of(wrong) for wrong in ({}, {"ttlMs": -1}, {"ttlMs": True}, {"ttlMs": 1, "cacheScope": "x"})
    ] == [None] * 4


@pytest.mark.parametrize("wrong", [{"ttl_ms": -1}, {"ttl_ms": 1.5}, {"scope": "shared"}])
def test_a_wrong_cache_hint_is_refused(wrong):
    with pytest.raises(UsageError):
        CacheHint(**wrong)
