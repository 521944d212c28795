"""Every house rule refuses a bad snippet and accepts the good one beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import rules

ROOT = Path(__file__).resolve().parents[2]
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 50

BAD_AND_GOOD = [
    (rules.too_long_module, "x = 1\n" * 401, "x = 1\n" * 400),
    (rules.too_long_functions, LONG_FUNCTION, LONG_FUNCTION.replace("    x = 1\n", "", 1)),
    (
        rules.too_long_functions,
        "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    "),
        "def short(): return 1\n",
    ),
    (rules.missing_module_docstring, "x = 1\n", '"""What it is."""\n'),
    (rules.missing_module_docstring, '"""\nToo late."""\n', '"""At once.\n\nMore.\n"""\n'),
    (
        rules.unexplained_workarounds,
        "x = f()  # type: ignore\n",
        "x = f()  # type: ignore[arg-type]  # the stub is wrong\n",
    ),
    (rules.unexplained_workarounds, "x = f()  # type: ignore[arg-type]\n", "x = f()  # a type is ignored here\n"),
    (rules.unexplained_workarounds, "x = f()  # noqa: E501\n", "x = f()  # noqa: E501 - a table reads better whole\n"),
    (rules.unexplained_workarounds, "x = f()  # noqa\n", "x = f()\n"),
    (rules.unexplained_workarounds, "x = f()  # pyright: ignore\n", "x = f()  # pyright: ignore[reportX] - untyped\n"),
    (rules.unfinished, "# TODO: later\n", "# to be done by the caller\n"),
    (rules.notes_to_oneself, "x = 1  # FIXME\n", "x = 1  # as measured\n"),
    (rules.unfinished, "def f():\n    raise NotImplementedError\n", "def f():\n    raise ValueError('no')\n"),
    (rules.unfinished, "def f():\n    ...\n", "class P(Protocol):\n    def f(self) -> int: ...\n"),
    (rules.unfinished, "class A:\n    def f(self): ...\n", "@overload\ndef f(x: int) -> int: ...\n"),
    (rules.patched_code, "from unittest import mock\n", "import unittest\n"),
    (rules.patched_code, "from unittest.mock import MagicMock\n", "from unittest import TestCase\n"),
    (
        rules.patched_code,
        "def test(monkeypatch):\n    monkeypatch.setattr(a, 'b', 1)\n",
        "def test(monkeypatch):\n    monkeypatch.setenv('A', 'b')\n",
    ),
    (rules.unexplained_skips, "@pytest.mark.skip(reason='slow')\ndef test(): f()\n", "def test(): f()\n"),
    (
        rules.unexplained_skips,
        "@pytest.mark.skipif(True)\ndef test(): f()\n",
        "@pytest.mark.skipif(X, reason='no X')\ndef test(): f()\n",
    ),
    (rules.unexplained_skips, "def test(): pytest.skip()\n", "def test(): pytest.skip('no such disk')\n"),
    (rules.unexplained_skips, "def test(): pytest.importorskip('mcp')\n", "def test(): missing('no mcp')\n"),
    (rules.changelog_shape, "# Changes\n\n## [Unreleased]\n", "# Changelog\n\n## [Unreleased]\n"),
    (rules.changelog_shape, "# Changelog\n\n## 1.0\n", "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2026-01-02\n"),
    (
        rules.changelog_shape,
        "# Changelog\n\n## [Unreleased]\n\n### News\n\n- a\n",
        "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a\n",
    ),
    (
        rules.changelog_shape,
        "# Changelog\n\n## [Unreleased]\n\n### Added\n",
        "# Changelog\n\n## [Unreleased]\n\n### Fixed\n\n- b\n",
    ),
]


@pytest.mark.parametrize(
    ("rule", "bad", "good"), BAD_AND_GOOD, ids=[f"{rule.__name__}-{n}" for n, (rule, _, _) in enumerate(BAD_AND_GOOD)]
)
def test_a_rule_refuses_the_bad_and_accepts_the_good(rule, bad, good):
    assert rule(bad), "the rule did not see what is wrong"
    assert rule(good) == []


def test_a_banned_import_is_seen_in_every_form():
    for text in ("import js", "import js.sub", "from js import x", "def f():\n    from pyodide.ffi import to_js"):
        assert rules.banned_imports(text, {"js", "pyodide"})
    assert rules.banned_imports("import json, jsonschema", {"js", "pyodide"}) == []


def test_a_missing_mirror_of_an_export_is_seen():
    text = "if TYPE_CHECKING:\n    from a.b import C as C, D as D\n__all__ = ['C', 'E']\n"
    assert rules.lazy_exports(text) == ({"C", "E"}, {"C", "D"})


def test_a_lock_file_without_the_builds_for_another_platform_is_seen():
    packages = {
        "": {"devDependencies": {"tool": "1"}},
        "node_modules/tool": {"dependencies": {"part": "1"}, "optionalDependencies": {"tool-darwin": "1"}},
        "node_modules/tool/node_modules/part": {"dependencies": {"tool": "1"}},
    }
    assert rules.incomplete_lock({"packages": packages}) == ["node_modules/tool needs tool-darwin"]
    packages["node_modules/tool-darwin"] = {}
    assert rules.incomplete_lock({"packages": packages}) == []


LINT_SNIPPETS = {
    "TID251": "import time\n\n\ndef now() -> float:\n    return time.time()\n",
    "C901": "def f(x: int) -> int:\n"
    + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(11))
    + "    return x\n",
    "ANN401": "from typing import Any\n\n\ndef f(x: Any) -> None:\n    del x\n",
    "T201": "print(1)\n",
    "D103": "def public() -> None:\n    del globals()['x']\n",
    "TID252": "from . import x\n",
    "ASYNC210": "import urllib.request\n\n\nasync def f() -> None:\n    urllib.request.urlopen('http://x')\n",
}


@pytest.mark.parametrize("code", LINT_SNIPPETS)
def test_the_linter_refuses_what_the_house_rules_forbid(tmp_path, code):
    """The project's own ruff configuration, applied to a module that breaks one rule."""
    package = tmp_path / "agents_runtime"
    package.mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (package / "bad.py").write_text('"""Bad on purpose."""\n' + LINT_SNIPPETS[code])
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json", "agents_runtime"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert code in {problem["code"] for problem in json.loads(found.stdout)}


BANNED_CALLS = [
    "import js",
    "from pyodide.ffi import to_js",
    "from workers import Response",
    "from time import time",
    "from datetime import datetime\nx = datetime.now()",
    "import random",
    "import uuid",
    "import secrets",
    "import asyncio\nasync def f(): await asyncio.sleep(1)",
    "from unittest import mock",
]


@pytest.mark.parametrize("snippet", BANNED_CALLS)
def test_the_banned_calls_name_what_to_use_instead(tmp_path, snippet):
    package = tmp_path / "agents_runtime"
    package.mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (package / "bad.py").write_text(snippet + "\n")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select=TID251", "--output-format=json", "."]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    messages = [problem["message"] for problem in json.loads(found.stdout)]
    assert messages
    assert any("agents_runtime" in text or "port" in text for text in messages), messages


def test_the_layers_refuse_an_import_upwards(tmp_path):
    """The project's own import contracts, applied to a small package that breaks two of them."""
    package = tmp_path / "agents_runtime"
    shutil.copytree(ROOT / "agents_runtime", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (package / "_core" / "bad_core.py").write_text("from agents_runtime import agent\n")
    (package / "state" / "bad_state.py").write_text(
        "from agents_runtime import connections\nimport agents_runtime.local\n"
    )
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode != 0
    for broken in ("agents_runtime._core.bad_core", "agents_runtime.state.bad_state -> agents_runtime.connections"):
        assert broken in found.stdout
    assert "agents_runtime.state.bad_state -> agents_runtime.local" in found.stdout
