"""The rows of approvals."""

import pytest

from agents_runtime import Agent
from agents_runtime.approvals.store import ApprovalStore


@pytest.fixture
def store():
    return ApprovalStore(Agent.create().ctx.agents_platform.sql)


def test_looking_creates_nothing_and_finds_nothing(store):
    assert store.get("x") is None
    assert store.find(None, 10) == []
    assert store.count_pending() == 0
    assert store.next_expiry_ms() is None
    assert store.overdue(10**15) == []
    assert store.delete(None, 10) == 0


def test_a_request_is_decided_once(store):
    store.insert("x", '{"a":1}', "run", 5, 100)
    assert store.next_expiry_ms() == 100
    assert [info.request_id for info in store.overdue(100)] == ["x"]
    assert store.overdue(99) == []
    store.decide("x", "approved", '"yes"', None, 50)
    store.decide("x", "rejected", None, "late", 60)
    info = store.get("x")
    assert (info.status, info.metadata, info.reason, info.decided_at_ms) == ("approved", "yes", None, 50)
    assert store.next_expiry_ms() is None
    assert info.as_json()["requestId"] == "x"


def test_several_runs_may_wait_for_one_request(store):
    store.insert("x", None, "one", 5, None)
    store.add_waiter(store.get("x"), "two")
    assert store.get("x").waiters == ("one", "two")


def test_only_decided_requests_are_deleted(store):
    for number, name in enumerate("abc"):
        store.insert(name, None, None, number, None)
    store.decide("a", "approved", None, None, 10)
    store.decide("b", "rejected", None, None, 20)
    assert store.delete(20, 10) == 1
    assert store.delete(None, 10) == 1
    assert [info.request_id for info in store.find(None, 10)] == ["c"]
