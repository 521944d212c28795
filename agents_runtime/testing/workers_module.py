"""Makes `import workers` find the local host's module, without loading it before somebody asks for it.

The plug-in is loaded by every pytest run of every project that has this package installed, so it may cost
nothing there: only a finder is put in place, and a project's own package called `workers` is left alone.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

NAME = "workers"
SDK = "workers-runtime-sdk"


class _ShimLoader(Loader):
    """Puts the local host's module in the place of the one being imported."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        from agents_runtime.local import shim

        sys.modules.pop(NAME, None)
        shim.install()


class WorkersFinder(MetaPathFinder):
    """Finds `workers`, also when the real SDK is installed: that one needs a JavaScript engine around it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of our `workers`, or None for any other module and for a project's own `workers`."""
        if fullname != NAME:
            return None
        other = PathFinder.find_spec(NAME)
        if other is not None and not _is_sdk(other):
            return None
        return ModuleSpec(NAME, _ShimLoader(), is_package=True)


def install_finder() -> None:
    """Let `import workers` work from now on. Repeating is harmless; on Workers itself nothing is done."""
    if sys.platform == "emscripten" or any(isinstance(finder, WorkersFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, WorkersFinder())


def remove_finder() -> None:
    """Undo `install_finder`. A module that was imported stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, WorkersFinder)]


def _is_sdk(spec: ModuleSpec) -> bool:
    if spec.origin is None:
        return False  # a namespace package: a folder of the project
    try:
        distribution = importlib.metadata.distribution(SDK)
    except importlib.metadata.PackageNotFoundError:
        return False
    return Path(str(distribution.locate_file(f"{NAME}/__init__.py"))).resolve() == Path(spec.origin).resolve()
