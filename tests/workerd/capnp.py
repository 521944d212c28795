"""Texts of workerd configurations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.workerd.tools import HERE, Tools

Module = tuple[str, str, Path]
"""The name a module is imported by, its kind, and the file with its contents."""

HEAD = """using Workerd = import "/workerd/workerd.capnp";
"""


def quoted(value: object) -> str:
    """A Cap'n Proto text."""
    return json.dumps(str(value))


def interpreter(tools: Tools) -> list[Module]:
    """What the interpreter itself consists of."""
    modules = [
        ("boot.mjs", "esModule", HERE / "runtime/boot.mjs"),
        ("pyodide.mjs", "esModule", tools.pyodide / "pyodide.mjs"),
        ("pyodide.asm.mjs", "esModule", tools.pyodide / "pyodide.asm.mjs"),
        ("pyodide.asm.wasm", "wasm", tools.pyodide / "pyodide.asm.wasm"),
        ("python_stdlib.zip", "data", tools.pyodide / "python_stdlib.zip"),
        ("pyodide-lock.json", "text", tools.pyodide / "pyodide-lock.json"),
    ]
    return modules if tools.snapshot is None else [*modules, ("snapshot.bin", "data", tools.snapshot)]


def module_list(modules: Iterable[Module], folder: Path) -> str:
    """The modules of a worker whose configuration is written into `folder`."""
    return "\n".join(
        f"    (name = {quoted(name)}, {kind} = embed {quoted(os.path.relpath(path, folder))}),"
        for name, kind, path in modules
    )


def binding_list(objects: Mapping[str, str], variables: Mapping[str, object]) -> str:
    """Durable Object bindings (name to class) and variables of a worker."""
    lines = [
        f"    (name = {quoted(name)}, durableObjectNamespace = (className = {quoted(cls)})),"
        for name, cls in objects.items()
    ]
    for name, value in variables.items():
        kind, text = ("text", value) if isinstance(value, str) else ("json", json.dumps(value))
        lines.append(f"    (name = {quoted(name)}, {kind} = {quoted(text)}),")
    return "\n".join(lines)


def send_email_bindings(names: Iterable[str]) -> str:
    """`send_email` bindings of a worker: each is a service of the rig's own."""
    service = '(name = "main", entrypoint = "SendEmail")'
    return "".join(f"\n    (name = {quoted(name)}, service = {service})," for name in names)


def namespace_list(keys: Mapping[str, str]) -> str:
    """Durable Object classes and the unique key under which each one's storage is kept."""
    return "\n".join(
        f"    (className = {quoted(cls)}, uniqueKey = {quoted(key)}, enableSql = true)," for cls, key in keys.items()
    )
