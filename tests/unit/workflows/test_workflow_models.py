"""Cursors, criteria and params of workflows, as pure functions."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import UsageError
from agents_runtime.workflows.models import (
    WorkflowInfo,
    criteria_of,
    metadata_of,
    page_limit,
    read_cursor,
    write_cursor,
)
from agents_runtime.workflows.params import Origin, split, with_origin


@given(st.integers(0, 2**40), st.text())
def test_a_cursor_comes_back(created_s, workflow_id):
    assert read_cursor(write_cursor(created_s, workflow_id)) == (created_s, workflow_id)


def test_the_cursor_is_the_javascript_one():
    assert base64.b64decode(write_cursor(5, "w")) == b'{"c":5,"i":"w"}'


@pytest.mark.parametrize("cursor", ["", "?", "e30=", base64.b64encode(b'{"c":true,"i":"w"}').decode(), "é", "W10="])
def test_no_cursor(cursor):
    with pytest.raises(UsageError, match="no cursor"):
        read_cursor(cursor)


def test_criteria_are_checked():
    assert criteria_of("running", None, None).statuses == ("running",)
    with pytest.raises(UsageError, match="no status 'done'"):
        criteria_of(["running", "done"], None, None)
    with pytest.raises(UsageError, match="cannot be looked for"):
        criteria_of(None, None, {'a"b': 1})
    with pytest.raises(UsageError, match="can be compared"):
        criteria_of(None, None, {"a": [1]})
    with pytest.raises(UsageError, match="must be a dict"):
        metadata_of(cast("Any", [1]))
    assert page_limit(500) == 100
    with pytest.raises(UsageError, match="limit"):
        page_limit(0)


@pytest.mark.parametrize("params", [{"a": 1}, {}, [1, 2], "text", 5])
def test_params_come_back_as_they_were_given(params):
    origin = Origin("SHOP", "corner")
    assert split(with_origin(params, "ORDER", origin)) == (params, "ORDER", origin)


def test_a_sub_agent_is_named_by_its_path():
    path = [{"className": "Chain", "name": "c"}, {"className": "Shop", "name": "s"}]
    packed = with_origin(None, "ORDER", Origin("CHAIN", "s", path))
    assert packed["__agentOrigin"] == {"kind": "facet", "version": 1, "rootBinding": "CHAIN", "path": path}
    found = split(packed)[2]
    assert (found.binding, found.root_name, found.name, found.path) == ("CHAIN", "c", "s", path)


def test_params_of_the_javascript_sdk_are_understood():
    old = {"item": 1, "__agentName": "a", "__agentBinding": "B", "__workflowName": "W"}
    assert split(old) == ({"item": 1}, "W", Origin("B", "a"))
    assert split({"item": 1}) == ({"item": 1}, None, None)
    with pytest.raises(UsageError, match="later version"):
        split({"__agentOrigin": {"kind": "agent", "version": 2}})
    with pytest.raises(UsageError, match="__agentName"):
        with_origin({"__agentName": 1}, "W", Origin("B", "a"))


def test_a_workflow_as_clients_see_it():
    info = WorkflowInfo("r", "w", "ORDER", "errored", {"a": 1}, {"name": "E", "message": "m"}, 1_000, 2_000, 3_000)
    assert info.as_json() == {
        "id": "r", "workflowId": "w", "workflowName": "ORDER", "status": "errored", "metadata": {"a": 1},
        "error": {"name": "E", "message": "m"}, "createdAt": "1970-01-01T00:00:01.000Z",
        "updatedAt": "1970-01-01T00:00:02.000Z", "completedAt": "1970-01-01T00:00:03.000Z",
    }  # fmt: skip
    assert info.is_final
