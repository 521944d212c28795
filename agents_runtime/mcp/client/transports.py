"""Which transports a server may be reached by, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.errors import UsageError
from agents_runtime.mcp.client.http import Endpoint, HttpTransport
from agents_runtime.mcp.client.urls import check_server_url

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Platform
    from agents_runtime.mcp.client.store import ServerRow
    from agents_runtime.mcp.client.transport import Authorization, Kind, Transport

TYPES: dict[str, tuple[Kind, ...]] = {
    "auto": ("streamable-http", "sse"),
    "streamable-http": ("streamable-http",),
    "http": ("streamable-http",),
    "sse": ("sse",),
}
"""What may be asked for, and what is then tried in turn."""

RPC = "rpc:"


def ways_to(row: ServerRow) -> tuple[Kind, ...]:
    """The transports to try, in turn."""
    if row.server_url.startswith(RPC):
        return ("rpc",)
    return TYPES.get(str(row.transport.get("type", "auto")), TYPES["auto"])


def make_transport(
    platform: Platform,
    row: ServerRow,
    kind: Kind,
    authorization: Authorization | None,
    spawn: Callable[[Coroutine[Any, Any, None]], None],
) -> Transport:
    """A transport to a server; nothing is sent yet.

    Raises:
        UsageError: the server's address may not be called, or its binding is gone.
    """
    if kind == "rpc":
        return _rpc_transport(platform, row)
    headers = {**_headers_in(row.transport.get("requestInit")), **_headers_in(row.transport)}
    endpoint = Endpoint(
        check_server_url(row.server_url),
        {str(name).lower(): str(value) for name, value in headers.items()},
        platform.fetch,
        platform.clock,
        authorization,
    )
    if kind == "streamable-http":
        return HttpTransport(endpoint)
    from agents_runtime.mcp.client.sse import SseTransport

    return SseTransport(endpoint, spawn)


def _headers_in(options: object) -> dict[str, Any]:
    given = cast("dict[str, Any]", options).get("headers") if isinstance(options, dict) else None
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}


def _rpc_transport(platform: Platform, row: ServerRow) -> Transport:
    from agents_runtime.mcp.client.rpc import RpcTransport

    binding = str(row.options.get("bindingName"))
    namespace = platform.namespaces().get(binding)
    if namespace is None:
        raise UsageError(f"the MCP server {row.name!r} is the Durable Object binding {binding}, which is not there")
    return RpcTransport(namespace, row.server_url.removeprefix(RPC), row.options.get("props"))
