"""`ctx.exports`: the classes of the worker, by name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agents_runtime._platform.base import DurableObject
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from agents_runtime.local.host import Host


class ExportedClass:
    """A class of the worker that has no namespace: good for `ctx.facets`, and nothing else."""

    def __init__(self, cls: type) -> None:
        self.agents_class = cls


class Exports:
    """`ctx.exports`: attribute access to the worker's classes. A bound one is its namespace."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        namespaces = self._host.env.agents_namespaces
        for namespace in namespaces.values():
            if namespace.agents_class.__name__ == name:
                return namespace
        if name in namespaces:
            return namespaces[name]
        exported = self._host.exported_classes()
        if name in exported:
            return ExportedClass(exported[name])
        raise JsException("TypeError", f"the worker exports no class {name!r}") from None


def exported_classes(main: ModuleType | None, bound: Iterable[type]) -> dict[str, type]:
    """The classes that a worker exports, by name: those bound, and those its main module has.

    Without a project, as in a test, the modules of the bound classes stand for the main module.
    """
    bound = list(bound)
    modules = [main] if main is not None else [sys.modules.get(cls.__module__) for cls in bound]
    found: dict[str, type] = {}
    for module in modules:
        for name, value in vars(module).items() if module is not None else ():
            if isinstance(value, type) and issubclass(value, DurableObject) and name == value.__name__:
                found.setdefault(name, value)
    return {**found, **{cls.__name__: cls for cls in bound}}
