"""The `workers` module for CPython: the same names, signatures and refusals as the SDK on the platform.

What it does not have is JavaScript: `.js_object` is a token, and `import_from_javascript` refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from agents_runtime.local.shim.blob import Blob, BlobEnding, File
from agents_runtime.local.shim.entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint, handler
from agents_runtime.local.shim.formdata import FormData
from agents_runtime.local.shim.outgoing import fetch
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import FetchResponse, Response
from agents_runtime.local.shim.rpc import python_from_rpc, python_to_rpc
from agents_runtime.local.shim.runtime import CurrentEnvironment, patch_env, wait_until
from agents_runtime.local.shim.types import (
    BlobValue,
    Body,
    Context,
    FetchKwargs,
    FormDataValue,
    Headers,
    JSBody,
    RequestInitCfProperties,
)

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]

env = CurrentEnvironment()
"""The bindings of whichever worker is running, by attribute."""

waitUntil = wait_until


def import_from_javascript(module_name: str) -> NoReturn:
    """Refuse: there is no JavaScript on CPython. Always raises ImportError."""
    raise ImportError(
        f"cannot import the JavaScript module {module_name!r} on CPython: use a Python package, "
        "or guard the call with `if sys.platform == 'emscripten':`"
    )


def install() -> ModuleType:
    """Make `import workers` give this module, also when the SDK is installed beside it. Repeating is harmless."""
    from agents_runtime.local.shim.installing import install

    return install()
