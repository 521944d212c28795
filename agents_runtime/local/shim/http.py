"""What `_platform.base` asks of the shim: classes, the current environment, and header changes."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response
from agents_runtime.local.shim.runtime import current_environment
from agents_runtime.local.shim.streams import Chunk, ReadableStream

__all__ = ["Request", "Response", "current_environment", "stream_response", "with_headers", "without_headers"]


def stream_response(chunks: AsyncIterable[Chunk], status: int, headers: Mapping[str, str]) -> Response:
    """A response whose body is produced while it is sent."""
    return Response(ReadableStream(chunks), status=status, headers=dict(headers))


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """The response with these headers set; one it already has is replaced. The body is not read."""
    fields = [header_fields.checked_field(name, value) for name, value in headers.items()]
    kept = header_fields.without(response.raw_headers(), {name for name, _ in fields})
    return response.replaced(fields=kept + fields, body=response.give_body())


def without_headers(request: Request, names: Sequence[str]) -> Request:
    """The request without these headers. The body is not read."""
    fields = header_fields.without(request.raw_headers(), {name.lower() for name in names})
    return request.replaced(fields=fields, body=request.give_body())
