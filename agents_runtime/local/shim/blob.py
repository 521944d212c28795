"""`Blob` and `File`: immutable bytes with a content type."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from agents_runtime.local.shim.js_view import JsView, unwrap

if TYPE_CHECKING:
    import builtins

    from agents_runtime.local.shim.types import BlobValue


class BlobEnding(StrEnum):
    """What is to happen to line ends in text parts. The platform refuses both so far."""

    TRANSPARENT = "transparent"
    NATIVE = "native"


class Blob:
    """Bytes with a content type, as in the `workers` SDK.

    Args:
        blob_parts: one part or several: text, bytes, or other blobs. One single blob hands on its content type.
        content_type: the content type; kept in lower case.
        endings: refused, as on the platform.
    """

    __slots__ = ("__weakref__", "_content_type", "_data")

    crosses_rpc = True

    def __init__(
        self,
        blob_parts: Iterable[BlobValue] | BlobValue,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
    ) -> None:
        if endings is not None:
            raise TypeError("the platform does not implement endings= of Blob and File: leave it out")
        single = unwrap(blob_parts)
        if isinstance(single, Blob) and not content_type:
            content_type = single.content_type
        if isinstance(single, str | bytes | Blob):
            self._data = _part(single)
        elif isinstance(single, Iterable):
            self._data = b"".join([_part(part) for part in cast("Iterable[object]", single)])
        else:
            raise TypeError(f"a Blob is made of text, bytes and blobs, not of {type(single).__name__}")
        self._content_type = _checked_type(content_type)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self._data)

    @property
    def content_type(self) -> str:
        """The content type, or an empty text."""
        return self._content_type

    @property
    def data(self) -> builtins.bytes:
        """The bytes, without waiting. Only here, not on the platform."""
        return self._data

    @property
    def js_object(self) -> JsView:
        """Stands for this blob where the platform takes a JavaScript one."""
        return JsView(self)

    async def text(self) -> str:
        """The content as text (UTF-8)."""
        return self._data.decode("utf-8", "replace")

    async def bytes(self) -> builtins.bytes:
        """The content."""
        return self._data

    def slice(self, start: int | None = None, end: int | None = None, content_type: str | None = None) -> Blob:
        """A part of the content; negative positions count from the end. The SDK drops `content_type` here."""
        return Blob([self._data[start:end]])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, content_type={self._content_type!r})"


class File(Blob):
    """A blob with a name and a time.

    Args:
        blob_parts: as for a Blob. One single file hands on its content type and time.
        filename: the name.
        content_type: as for a Blob.
        endings: as for a Blob.
        last_modified: milliseconds since the epoch; now, when it is not given.
    """

    __slots__ = ("_last_modified", "_name")

    def __init__(
        self,
        blob_parts: Iterable[BlobValue] | BlobValue,
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        super().__init__(blob_parts, content_type, endings)
        if not isinstance(cast("object", filename), str):
            raise TypeError(f"a file name is a text, not {type(filename).__name__}")
        single = unwrap(blob_parts)
        if last_modified is None and isinstance(single, File):
            last_modified = single.last_modified
        self._name = filename
        self._last_modified = int(time.time() * 1000) if last_modified is None else int(last_modified)

    @property
    def name(self) -> str:
        """The file name."""
        return self._name

    @property
    def last_modified(self) -> int:
        """When the file was changed, in milliseconds since the epoch."""
        return self._last_modified


def _part(part: object) -> bytes:
    plain = unwrap(part)
    if isinstance(plain, str):
        return plain.encode("utf-8", "replace")
    if isinstance(plain, Blob):
        return plain.data
    if isinstance(plain, bytes | bytearray | memoryview):
        return bytes(cast("memoryview", plain))
    raise TypeError(f"a Blob is made of text, bytes and blobs, not of {type(part).__name__}")


def _checked_type(content_type: str | None) -> str:
    if content_type is None or not content_type.isascii() or not content_type.isprintable():
        return ""
    return content_type.lower()
