"""The content of a request or response: kept as it was given, read once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.js_view import unwrap
from agents_runtime.local.shim.streams import Chunks, ReadableStream

if TYPE_CHECKING:
    import builtins

    from agents_runtime.local.shim.blob import Blob
    from agents_runtime.local.shim.formdata import FormData
    from agents_runtime.local.shim.header_map import HTTPMessageMapping
    from agents_runtime.local.values import ArrayBuffer

Raw = str | bytes | ReadableStream | None
"""How content is kept. Text is encoded only when it leaves the process."""


class BodyUsedError(OSError):
    """Raised when a body is read a second time."""

    def __init__(self) -> None:
        super().__init__("Body already used")


def encode(text: str) -> bytes:
    """UTF-8; half of a surrogate pair becomes three times U+FFFD, as on the platform."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd\ufffd\ufffd", text).encode()


def decode(data: bytes) -> str:
    """Text from UTF-8; a byte-order mark is dropped, what is malformed becomes U+FFFD."""
    text = data.decode("utf-8", "replace")
    return text[1:] if text.startswith("\ufeff") else text


def taken_in(body: object, owner: str) -> tuple[Raw, str | None]:
    """A body as it is kept, and the content type it brings along. Raises TypeError for what cannot be a body."""
    if body is None:
        return None, None
    if isinstance(body, str):
        return body, "text/plain;charset=UTF-8"
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, ReadableStream):
        if body.locked or body.disturbed:
            raise TypeError(f"the stream given to {owner} was read already or is being read")
        return body, None
    return _taken_in_object(body, owner)


def _taken_in_object(body: object, owner: str) -> tuple[Raw, str | None]:
    from agents_runtime.local.shim.blob import Blob
    from agents_runtime.local.shim.formdata import FormData

    plain = unwrap(body)
    if isinstance(plain, FormData):
        return plain.encoded()
    if isinstance(plain, Blob) and plain is not body:
        return plain.data, plain.content_type or None
    kind = type(body).__name__
    hint = "; pass `await blob.bytes()`" if isinstance(body, Blob) else ""
    if isinstance(body, AsyncIterable):
        hint = "; pass it to `agents_runtime.stream_response`, which works on Workers too"
    raise TypeError(f"Unsupported type in {owner}: {kind}{hint}")


class Content:
    """Base of Request and Response: the headers, and the body with its ways to read it once."""

    __slots__ = ("__weakref__", "_body", "_fields", "_used")

    crosses_rpc = True

    _body: Raw
    _fields: header_fields.Fields
    _used: bool

    @property
    def headers(self) -> HTTPMessageMapping:
        """A copy of the headers; names ignore case. Changing it changes nothing else."""
        return header_fields.message(self._fields)

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream, or None. Reading the stream uses up the body."""
        body = self._body
        if body is None or isinstance(body, ReadableStream):
            return body
        stream = ReadableStream(())
        if not self._used:
            stream = ReadableStream((body if isinstance(body, bytes) else encode(body),))
        self._body = stream
        return stream

    @property
    def body_used(self) -> bool:
        """Whether the body was read. A missing body never is."""
        body = self._body
        return self._used or (isinstance(body, ReadableStream) and body.disturbed)

    @property
    def is_streaming(self) -> bool:
        """Whether the body is produced while it is sent. For hosts."""
        return isinstance(self._body, ReadableStream)

    async def text(self) -> str:
        """The body as text (UTF-8). Raises BodyUsedError when it was read before."""
        body = self._body
        if isinstance(body, str) and body.isascii() and not self._used:
            self._used = True
            return body
        return decode(await self.bytes())

    async def bytes(self) -> builtins.bytes:
        """The body as bytes. Raises BodyUsedError when it was read before."""
        body = self._body
        if body is None:
            return b""
        if self.body_used:
            raise BodyUsedError
        if isinstance(body, ReadableStream):
            return await body.read_all()
        self._used = True
        return body if isinstance(body, bytes) else encode(body)

    async def buffer(self) -> ArrayBuffer:
        """The body as a JavaScript-like buffer, which has `to_bytes()`."""
        from agents_runtime.local.values import ArrayBuffer

        return ArrayBuffer(await self.bytes())

    async def blob(self) -> Blob:
        """The body as a Blob with the content type of the headers."""
        from agents_runtime.local.shim.blob import Blob

        content_type = header_fields.find(self._fields, "content-type") or ""
        return Blob(await self.bytes(), re.sub(r"\s*;\s*", ";", content_type))

    async def form_data(self) -> FormData:
        """The body as a form, multipart or URL-encoded. Raises TypeError when it is neither."""
        from agents_runtime.local.shim.formdata import parse

        data = await self.bytes()
        return parse(data, header_fields.find(self._fields, "content-type") or "")

    def raw_headers(self) -> list[tuple[str, str]]:
        """The fields for the wire, repeated names kept apart. For servers."""
        return list(self._fields)

    def take_body(self) -> builtins.bytes | AsyncIterator[builtins.bytes] | None:
        """The body for the wire, which uses it up. For servers, which call `aclose()` on an iterator they abandon.

        Raises BodyUsedError when it was read before.
        """
        body = self._body
        if body is None:
            return None
        if self.body_used:
            raise BodyUsedError
        if isinstance(body, ReadableStream):
            return Chunks(body)
        self._used = True
        return body if isinstance(body, bytes) else encode(body)

    def give_body(self) -> Raw:
        """The body for another request or response, unread; this one has used it then. Internal."""
        body = self._body
        if self.body_used:
            raise BodyUsedError
        self._used = body is not None
        return body

    def _split_body(self) -> Raw:
        """A second body with the same content, for a clone. A stream is split in two."""
        body = self._body
        if self.body_used:
            raise BodyUsedError
        if isinstance(body, ReadableStream):
            self._body, body = body.tee()
        return body
