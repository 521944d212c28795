"""Identities, keys and URLs of sub-agents, and the order in which a root does what they say."""

from __future__ import annotations

import pytest

from agents_runtime._platform.child.identity import ChildId, facet_key, identity_of, make_step, owner_key
from agents_runtime.sub_agents.hops import closing_of, find_hop, segments_of
from agents_runtime.sub_agents.inbox import Inbox

SEGMENTS = segments_of(["Kid", "ChatRoom", "Sub", "SUB", "Sub_"])


def test_the_digest_is_that_of_the_javascript_sdk():
    path = [make_step("Basic", "p1"), make_step("Kid", "k1")]
    digest = "1ea049dcb277d858d8b44d9798a2d2302258204e0427edb88c52efa5169dfbd3"
    assert identity_of(path) == f"cf-agents:v2:k1:{digest}"
    assert identity_of([{"name": "p1", "className": "Basic"}, path[1]]) == f"cf-agents:v2:k1:{digest}"
    object_id = ChildId(identity_of(path))
    assert [object_id.name, object_id.hex, str(object_id)] == ["k1", digest, digest]


@pytest.mark.parametrize("name", ["a:b", "a%3Ab", "é 😀", "cf-agents:v2:x:y", "/", "~*'()!"])
def test_an_identity_tells_the_name(name):
    assert ChildId(identity_of([make_step("Basic", "p1"), make_step("Kid", name)])).name == name


def test_different_paths_have_different_identities():
    paths = [
        [("A", "x"), ("K", "k")], [("A", "y"), ("K", "k")], [("B", "x"), ("K", "k")], [("A", "x"), ("L", "k")],
        [("A", "x"), ("K", "k"), ("K", "k")],
    ]  # fmt: skip
    assert len({identity_of([make_step(*step) for step in path]) for path in paths}) == len(paths)


def test_owner_keys_cannot_be_imitated_by_names():
    deep = owner_key([make_step("A", "x"), make_step("K", "k")])
    assert deep == "A:x/K:k"
    assert owner_key([make_step("A", "x/K:k")]) == "A:x%2FK%3Ak"
    assert owner_key([make_step("A", "50%_")]) == "A:50%25_"
    assert facet_key("Kid", "k1") == "Kid\0k1"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://h/agents/top/t/sub/kid/k1", ("Kid", "k1", "http://h/")),
        ("http://h/agents/top/t/sub/kid/k1/a/b?x=1&y=/sub/kid/z", ("Kid", "k1", "http://h/a/b?x=1&y=/sub/kid/z")),
        ("https://h:1/sub/chat-room/a%2Fb%20c/sub/kid/x", ("ChatRoom", "a/b c", "https://h:1/sub/kid/x")),
        ("http://h/sub/sub/kid/k1/x", ("Kid", "k1", "http://h/x")),
        ("http://h/sub/kid/sub", ("Kid", "sub", "http://h/")),
        ("http://h/sub/kid/%F0%9F%98%80", ("Kid", "😀", "http://h/")),
        ("http://h/x//sub/kid/k1//y", ("Kid", "k1", "http://h//y")),
        ("http://h/sub/kid/k1/#/sub/kid/k2", ("Kid", "k1", "http://h/")),
        ("http://h/sub/kid/%ff/sub/kid/k2", ("Kid", "k2", "http://h/")),
        ("http://h/sub/kid/", None),
        ("http://h/sub/kid", None),
        ("http://h/sub/nobody/x", None),
        ("http://h/sub/sub/x", None),
        ("http://h/?/sub/kid/k1", None),
        ("http://h/kid/k1", None),
    ],
)
def test_the_first_known_class_is_the_way_in(url, found):
    assert find_hop(url, SEGMENTS) == found


def test_a_class_whose_segment_is_sub_has_no_url():
    assert SEGMENTS == {"chat-room": "ChatRoom", "kid": "Kid"}


@pytest.mark.parametrize(("status", "code"), [(400, 4400), (403, 4403), (499, 4499), (500, 1011), (302, 1011)])
def test_a_refused_connection_tells_the_status(status, code):
    assert closing_of(status) == (code, f"Sub-agent connection rejected ({status})")


def entries(*numbers: int) -> list[list[object]]:
    return [[number, f"op {number}"] for number in numbers]


@pytest.mark.parametrize(
    "batches",
    [
        [(1, 2, 3, 4)],
        [(1, 2), (3, 4)],
        [(1, 2), (1, 2, 3), (2, 3, 4)],
        [(1,), (3, 4), (1, 2)],
        [(1,), (4,), (3,), (2,)],
        [(7, 8), (9,), (8, 9)],
    ],
)
def test_what_a_child_says_is_done_once_and_in_order(batches):
    inbox = Inbox()
    done = [op for batch in batches for op in inbox.take("life", entries(*batch))]
    assert done == [[f"op {number}"] for number in sorted({number for batch in batches for number in batch})]


def test_a_life_known_only_from_its_middle_misses_nothing():
    inbox = Inbox()
    assert inbox.take("life", entries(5, 6)) == [["op 5"], ["op 6"]]
    assert inbox.take("life", entries(4, 5)) == [["op 4"]]
    assert inbox.take("life", entries(4, 5, 6, 7)) == [["op 7"]]
    assert inbox.take("another life", entries(1)) == [["op 1"]]
