"""Imports the modules of a project, afresh each time and without byte-code files.

A reload must see what was just saved, even twice within one second and with the same size, so the cache files that
Python keeps by modification time are neither read nor written for these modules.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import ModuleType


class _SourceOnlyLoader(SourceFileLoader):
    """A loader that always compiles the source."""

    def path_stats(self, path: str) -> NoReturn:
        """Refuse: without them importlib neither reads nor writes byte-code."""
        raise OSError(path)


class ProjectModules:
    """The modules below one folder: a finder for `sys.meta_path` that remembers what it found.

    The folder comes before installed packages, as on Workers; the standard library comes before the folder, since
    the server itself still needs it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of Python's import protocol."""
        if path is None:
            if name in sys.stdlib_module_names:
                return None
            path = [self._folder]
        elif not any(self._is_inside(place) for place in path):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SourceOnlyLoader(name, spec.loader.path)
            spec.cached = None
        self._names.add(name)
        return spec

    def import_main(self, main: Path) -> ModuleType:
        """Import the module in `main` under the name of its file.

        Another project imported before is no longer found: both may have a module of this name. On failure the modules
        of the former import of this one, if any, are back in place. Raises what the module raised.
        """
        former = self.forget()
        for other in [finder for finder in sys.meta_path if isinstance(finder, ProjectModules) and finder is not self]:
            other.remove()
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        importlib.invalidate_caches()
        try:
            return importlib.import_module(main.stem)
        except BaseException:
            self.forget()
            sys.modules.update(former)
            self._names.update(former)
            raise

    def forget(self) -> dict[str, ModuleType]:
        """Drop every module found so far from `sys.modules`; returns them."""
        dropped = {name: sys.modules.pop(name) for name in self._names if name in sys.modules}
        self._names.clear()
        return dropped

    def remove(self) -> None:
        """Forget the modules and stop finding them."""
        self.forget()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _is_inside(self, place: str) -> bool:
        return place == self._folder or place.startswith(self._folder + "/")
