"""What users see: how many names, each documented, and how little an import loads."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import agents_runtime
from tests.tidy import rules

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_NAMES = 75
"""What users type, of agents, MCP, e-mail, workflows and sub-agents together; each is loaded when it is asked for."""
AGENT_MEMBERS = 110
"""All that JavaScript's Agent offers has a Python name on ours; the verbs stand beside their capabilities."""
OUR_MODULES_BEHIND_AGENT = 72
"""The verbs of every capability, but no engine: those load when an agent first has work for them."""

# Called by the platform under these names; no user calls them.
PLATFORM_HANDLERS = {"alarm", "fetch", "webSocketMessage", "webSocketClose", "webSocketError", "cf_agents_internal"}

HEAVY = {
    "pydantic",
    "croniter",
    "httpx",
    "uvicorn",
    "sqlite3",
    "http.server",
    "click",
    "rich",
    "websockets",
    "watchfiles",
}
OURS_KEPT_OUT = {"agents_runtime.local", "agents_runtime.testing"}


def test_the_top_level_has_few_names_all_of_them_real():
    names = agents_runtime.__all__
    assert len(names) <= PUBLIC_NAMES
    assert sorted(names) == list(names), "__all__ is sorted"
    for name in names:
        assert getattr(agents_runtime, name) is not None
        assert name in dir(agents_runtime)


def test_all_equals_its_type_checking_mirror():
    exported, mirrored = rules.lazy_exports((ROOT / "agents_runtime/__init__.py").read_text())
    assert exported == set(agents_runtime.__all__)
    assert mirrored == exported - {"__version__"}


def test_mcp_has_the_names_that_the_top_level_has_not():
    mcp = importlib.import_module("agents_runtime.mcp")
    exported, mirrored = rules.lazy_exports((ROOT / "agents_runtime/mcp/__init__.py").read_text())
    assert exported == mirrored == set(mcp._HOMES)
    assert sorted(exported) == list(mcp.__all__)
    assert not exported & set(agents_runtime.__all__)
    for name in exported:
        assert getattr(mcp, name).__name__ == name
    with pytest.raises(AttributeError, match="Imagine"):
        getattr(mcp, "Imag" + "ine")


def test_an_unknown_name_is_an_attribute_error_that_says_so():
    with pytest.raises(AttributeError, match="Agnet"):
        getattr(agents_runtime, "Agn" + "et")


def agent_members() -> list[str]:
    return [name for name in dir(agents_runtime.Agent) if not name.startswith("_") and name not in PLATFORM_HANDLERS]


def test_an_agent_has_few_members():
    members = agent_members()
    assert len(members) <= AGENT_MEMBERS, f"{len(members)}: {members}"


def undocumented(owner: object, names: list[str]) -> list[str]:
    """Names of an object whose value is a function, class or property without a docstring of its own."""
    found = []
    for name in names:
        value = inspect.getattr_static(owner, name)
        value = getattr(value, "__func__", value)
        is_described = inspect.isroutine(value) or isinstance(value, type | property)
        if is_described and not inspect.getdoc(value):
            found.append(name)
    return found


@pytest.mark.parametrize("name", agents_runtime.__all__)
def test_every_public_name_is_documented(name):
    value = getattr(agents_runtime, name)
    if inspect.isroutine(value) or isinstance(value, type):
        docstring = inspect.getdoc(value)
        assert docstring, f"{name} has no docstring"
        assert len(docstring.splitlines()[0]) <= 120
    if isinstance(value, type) and value.__module__.startswith("agents_runtime"):
        members = [member for member in vars(value) if not member.startswith("_")]
        assert not undocumented(value, members), f"members of {name} without a docstring"


def test_every_member_of_an_agent_is_documented():
    assert not undocumented(agents_runtime.Agent, agent_members())


def test_the_search_for_undocumented_members_sees_one():
    class Bare:
        def bare(self):
            return 1

        @property
        def value(self):
            return 2

        def described(self):
            """Say something."""

    assert undocumented(Bare, ["bare", "value", "described"]) == ["bare", "value"]


def loaded_by(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter, beyond those loaded at its start."""
    report = "print(json.dumps(sorted(set(sys.modules) - before)))"
    program = f"import sys, json\nbefore = set(sys.modules)\n{statement}\n{report}\n"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return set(json.loads(result.stdout))


def within(modules: set[str], packages: set[str]) -> set[str]:
    return {name for name in modules if any(name == package or name.startswith(package + ".") for package in packages)}


def test_importing_the_package_loads_one_module_of_ours_and_nothing_heavy():
    loaded = loaded_by("import agents_runtime")
    assert within(loaded, {"agents_runtime"}) == {"agents_runtime"}
    assert not within(loaded, HEAVY)


def test_importing_agent_stays_light():
    loaded = loaded_by("from agents_runtime import Agent")
    ours = within(loaded, {"agents_runtime"})
    assert len(ours) <= OUR_MODULES_BEHIND_AGENT, sorted(ours)
    assert not within(loaded, HEAVY | OURS_KEPT_OUT)


def test_defining_an_agent_and_every_public_name_stays_light():
    names = ", ".join(agents_runtime.__all__)
    loaded = loaded_by(f"from agents_runtime import {names}\nclass A(Agent):\n    initial_state = {{}}\n")
    assert not within(loaded, HEAVY | OURS_KEPT_OUT)


def test_the_measure_of_an_import_sees_a_heavy_one():
    assert within(loaded_by("import http.server"), HEAVY) == {"http.server"}


def test_a_module_that_names_its_exports_names_real_ones():
    for path in sorted((ROOT / "agents_runtime").rglob("__init__.py")):
        module = ".".join(path.parent.relative_to(ROOT).parts)
        if "templates" in module or "_platform.workers" in module:
            continue
        exported, _ = rules.lazy_exports(path.read_text())
        for name in exported:
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
