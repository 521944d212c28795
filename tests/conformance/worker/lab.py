"""Runs the body of a contract test inside an object, on the object's own `ctx.storage`."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from types import ModuleType

from workers import DurableObject


class Lab(DurableObject):
    """One object per test."""

    async def run_body(self, module: str, name: str, rows: list[int]) -> None:
        """Run one test function. `rows` says which row of each `parametrize` mark it gets. Raises what it raised."""
        from pyodide.ffi import JsException

        function = getattr(load(module), name)
        values = {"storage": self.ctx.storage, "js_error": JsException, **parameters(function, rows)}
        wanted = inspect.signature(function).parameters
        result = function(**{name: value for name, value in values.items() if name in wanted})
        if inspect.isawaitable(result):
            await result


def load(name: str) -> ModuleType:
    """The module of that name, with asserts that tell what they compared, as pytest writes them."""
    from _pytest.assertion.rewrite import rewrite_asserts

    if name not in sys.modules:
        path = Path(__file__).parent.joinpath(*name.split(".")).with_suffix(".py")
        source = path.read_bytes()
        tree = ast.parse(source)
        rewrite_asserts(tree, source)
        sys.modules[name] = module = ModuleType(name)
        exec(compile(tree, path, "exec", dont_inherit=True), vars(module))
    return sys.modules[name]


def parameters(function, rows):
    """The values in those rows of the function's `parametrize` marks."""
    values = {}
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    for mark, row in zip(marks, rows, strict=True):
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        found = list(mark.args[1])[row]
        chosen = found if len(names) > 1 else [found]
        values.update(zip((name.strip() for name in names), chosen, strict=True))
    return values
