"""Statuses and resolutions of fibers."""

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.fibers.models import FiberInfo, checked_resolution, checked_statuses


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "say what became"),
        ("completed", "say what became"),
        ({}, "must be one of"),
        ({"status": "running"}, "must be one of"),
        ({"status": "completed", "snapshoot": 1}, "did you mean 'snapshot'"),
    ],
)
def test_what_is_no_resolution(given, said):
    with pytest.raises(UsageError, match=said):
        checked_resolution(given)


@pytest.mark.parametrize("status", ["completed", "error", "aborted", "interrupted"])
def test_what_is_a_resolution(status):
    given = {"status": status, "snapshot": None, "error": "x"}
    assert checked_resolution(given) == given


def test_statuses_may_be_one_or_several():
    assert checked_statuses("error") == ("error",)
    assert checked_statuses(["error", "completed"]) == ("error", "completed")
    with pytest.raises(UsageError, match="no status 'odd'"):
        checked_statuses(("error", "odd"))


def test_javascripts_names_are_those_that_have_a_value():
    info = FiberInfo("f", "index", "pending", created_at_ms=5)
    assert dict(info) == {"fiberId": "f", "name": "index", "status": "pending", "createdAt": 5, "accepted": False}
