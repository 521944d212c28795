"""Runs all blocks of one page in order, in a folder of their own."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Self

from agents_runtime.local.jsonc import parse_jsonc
from tests.docs.blocks import Block
from tests.docs.shell import ROOT, Shell

SHOWN_ONLY = {"text", "console", "http", "mermaid"}
JAVASCRIPT = {"js": "js", "javascript": "js", "jsx": "jsx", "ts": "ts", "typescript": "ts", "tsx": "tsx", "html": None}
RUNNER = """
import sys, runpy
from agents_runtime.local.shim import install
install()
for path in sys.argv[1:]:
    sys.path.insert(0, ".")
    runpy.run_path(path, run_name="__main__")
"""


class PageError(AssertionError):
    """Raised when a block of a page does not work."""


class Page:
    """The folder and the terminal that the blocks of one page share."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.shell.close()

    def run(self, block: Block) -> None:
        """Run one block.

        Raises:
            PageError: it fails; the text names page and line.
        """
        if block.skipped_because is not None:
            return
        if block.language in SHOWN_ONLY:
            if block.file:
                self._written(block)
            return
        try:
            self._run(block)
        except Exception as error:
            raise PageError(f"{block}: {error}") from error

    def _run(self, block: Block) -> None:
        path = self._written(block)
        match block.language:
            case "python":
                self._python(block, path)
            case "sh" | "bash":
                self.shell.run(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "json":
                json.loads(block.text)
            case "jsonc":
                parse_jsonc(block.text)
            case language if language in JAVASCRIPT:
                _javascript(block, JAVASCRIPT[language])
            case language:
                raise PageError(f"nobody knows how to run {language!r}; use `text` for output")

    def _written(self, block: Block) -> Path:
        self._count += 1
        is_test = block.language == "python" and _defines_tests(block.text)
        default = f"test_block_{self._count}.py" if is_test else f"block_{self._count}.py"
        path = self.shell.folder / (block.file or default)
        if block.file or block.language == "python":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        return path

    def _python(self, block: Block, path: Path) -> None:
        if _defines_tests(block.text):
            self.shell.run(f"pytest -p no:randomly {path.relative_to(self.shell.folder)}")
        elif path.name != "conftest.py":
            command = [sys.executable, "-c", RUNNER, str(path.relative_to(self.shell.folder))]
            environment = self.shell.environment()
            result = subprocess.run(
                command, cwd=self.shell.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            if result.returncode:
                raise PageError(f"{result.stdout}\n{result.stderr}")


def _defines_tests(text: str) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) and node.name.startswith("test_") for node in ast.parse(text).body)


def _javascript(block: Block, loader: str | None) -> None:
    """Parse it with the bundler that the JavaScript tests use."""
    esbuild = ROOT / "tests/js/node_modules/.bin/esbuild"
    if loader is None:
        return
    command = [str(esbuild), f"--loader={loader}", "--jsx=automatic"]
    result = subprocess.run(command, input=block.text, capture_output=True, text=True, timeout=30, check=False)
    if result.returncode:
        raise PageError(result.stderr)


def prepare(folder: Path) -> None:
    """What a reader has in front of them: a clone with its examples."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns(".agents", "__pycache__"))
    shutil.copy(ROOT / "wrangler.toml", folder)
