"""What crosses between objects and into key-value storage, under the platform's value rules.

`clone` is the copy a remote call makes; `encode` and `decode` are the same rules as bytes. None of them
uses pickle, so nothing read from a file or a socket can run code.
"""

from __future__ import annotations

from agents_runtime.local.values.clone import RpcFunction, clone
from agents_runtime.local.values.decoding import decode
from agents_runtime.local.values.encoding import encode
from agents_runtime.local.values.types import ArrayBuffer, JsBigInt, JsDict, JsException, JsValue

__all__ = [
    "ArrayBuffer",
    "JsBigInt",
    "JsDict",
    "JsException",
    "JsValue",
    "RpcFunction",
    "clone",
    "decode",
    "encode",
]
