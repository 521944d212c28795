"""The `workers` module for CPython: the same names, signatures and refusals as the SDK on the platform.

What it does not have is JavaScript: `.js_object` is a token, and `import_from_javascript` refuses.
"""

from __future__ import annotations

from agents_runtime.local.shim.blob import Blob, BlobEnding, File
from agents_runtime.local.shim.formdata import FormData
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import FetchResponse, Response
from agents_runtime.local.shim.runtime import patch_env, wait_until
from agents_runtime.local.shim.streams import ReadableStream

__all__ = [
    "Blob",
    "BlobEnding",
    "FetchResponse",
    "File",
    "FormData",
    "ReadableStream",
    "Request",
    "Response",
    "patch_env",
    "wait_until",
]
