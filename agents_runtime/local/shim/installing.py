"""Puts the shim where `import workers` finds it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

from agents_runtime.local import shim
from agents_runtime.local.shim import blob, entrypoints, formdata, request, response, rpc, runtime, types, workflows

_SUBMODULES = {
    "blob": blob,
    "entrypoints": entrypoints,
    "formdata": formdata,
    "request": request,
    "response": response,
    "rpc": rpc,
    "types": types,
    "utils": runtime,
    "workflows": workflows,
}


class _WorkersModule(ModuleType):
    """The module `workers` while it is the shim. Other names of the SDK do not exist on CPython."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"module 'workers' has no attribute {name!r} on CPython")


def install() -> ModuleType:
    """Make `import workers` give the shim, also when the SDK is installed beside it. Repeating is harmless.

    Raises:
        RuntimeError: this is the platform, which has its own module.
    """
    if sys.platform == "emscripten":
        raise RuntimeError("the platform has its own `workers` module: do not replace it")
    present = sys.modules.get("workers")
    if isinstance(present, _WorkersModule):
        return present
    for name in [name for name in sys.modules if name.startswith("workers.")]:
        del sys.modules[name]
    module = _WorkersModule("workers", shim.__doc__)
    module.__spec__ = ModuleSpec("workers", None, is_package=True)
    module.__path__ = []  # a package without a folder: the submodules are those below and no others
    module.__dict__.update({name: getattr(shim, name) for name in shim.__all__}, __all__=list(shim.__all__))
    sys.modules["workers"] = module
    for name, submodule in _SUBMODULES.items():
        sys.modules[f"workers.{name}"] = submodule
        module.__dict__.setdefault(name, submodule)
    return module
