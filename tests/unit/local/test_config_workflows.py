"""Workflows in a project file."""

from __future__ import annotations

import json

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import read_config
from agents_runtime.local.project import load_project

MAIN = """
from agents_runtime import Agent, AgentWorkflow
from workers import Response, WorkerEntrypoint

class Shop(Agent): ...

class Order(AgentWorkflow):
    async def run(self, event, step):
        return 1

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("x")
"""


def project(folder, *workflows):
    (folder / "flows_main.py").write_text(MAIN)
    (folder / "wrangler.json").write_text(
        json.dumps(
            {
                "name": "shop",
                "main": "flows_main.py",
                "compatibility_date": "2026-10-01",
                "compatibility_flags": ["python_workers"],
                "workflows": list(workflows),
            }
        )
    )
    return folder


ORDER = {"name": "order", "binding": "ORDER", "class_name": "Order"}


def test_a_workflow_is_read_and_loaded(tmp_path):
    found = load_project(project(tmp_path, {**ORDER, "limits": {"steps": 5}}))
    served = found.workflows["ORDER"]
    assert (served.name, served.cls.__name__, served.max_steps, served.is_implicit) == ("order", "Order", 5, True)
    assert not any("workflow" in note for note in found.notes)


@pytest.mark.parametrize(
    ("workflows", "problem"),
    [
        ([{"name": "order", "binding": "ORDER"}], "class_name: missing"),
        ([{**ORDER, "name": "a b"}], "no name of a workflow"),
        ([{**ORDER, "name": "x" * 65}], "no name of a workflow"),
        ([{**ORDER, "script_name": "other"}], "another Worker"),
        ([{**ORDER, "limits": {"steps": 0}}], "whole number above 0"),
        ([{**ORDER, "bindings": 1}], "unknown key"),
        ([ORDER, {**ORDER, "name": "other"}], "bound twice"),
        ([ORDER, {**ORDER, "binding": "OTHER"}], "used twice"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, workflows, problem):
    with pytest.raises(ConfigError, match=problem):
        read_config(project(tmp_path, *workflows))


@pytest.mark.parametrize(
    ("name", "problem"), [("Odrer", 'did you mean "Order"'), ("Shop", "is no workflow"), ("Nothing", "no class")]
)
def test_a_class_that_is_no_workflow_is_named(tmp_path, name, problem):
    with pytest.raises(ConfigError, match=problem):
        load_project(project(tmp_path, {**ORDER, "class_name": name}))
