"""Fiber tables that another SDK left."""

import pytest

from agents_runtime import Agent
from agents_runtime.fibers.store import FiberStore


@pytest.fixture
def sql():
    return Agent.create().ctx.agents_platform.sql


def test_nothing_is_created_by_looking(sql):
    store = FiberStore(sql)
    assert store.orphans() == []
    assert store.get("x") is None
    assert store.find(None, None, 10) == []
    assert store.delete(("completed",), None, 10) == 0
    assert sql.execute("SELECT * FROM sqlite_master WHERE name LIKE 'cf_agents_%'") == []


def test_a_table_of_an_older_sdk_is_completed(sql):
    sql.execute("CREATE TABLE cf_agents_runs (id TEXT PRIMARY KEY, name TEXT, snapshot TEXT, created_at INTEGER)")
    sql.execute("INSERT INTO cf_agents_runs VALUES ('a', 'index', '{\"n\":1}', 5)")
    [orphan] = FiberStore(sql).orphans()
    assert (orphan.id, orphan.snapshot, orphan.created_at_ms, orphan.status) == ("a", {"n": 1}, 5, None)


def test_a_damaged_snapshot_is_read_as_none(sql, caplog):
    store = FiberStore(sql)
    store.insert_run("a", "index", 5)
    sql.execute("UPDATE cf_agents_runs SET snapshot = '{'")
    [orphan] = store.orphans()
    assert orphan.snapshot is None
    assert "damaged" in caplog.text


def test_a_ledger_row_without_a_run_is_an_orphan_too(sql):
    store = FiberStore(sql)
    store.insert_managed("m", "index", "key", '{"by":"ada"}', 5)
    sql.execute("DELETE FROM cf_agents_runs")
    [orphan] = store.orphans()
    assert (orphan.id, orphan.status, orphan.idempotency_key, orphan.metadata) == ("m", "pending", "key", {"by": "ada"})
    store.settle("m", "completed", None, 9)
    assert store.orphans() == []
    store.settle("m", "aborted", "late", 10)
    assert store.get("m").status == "completed", "the first end counts"
