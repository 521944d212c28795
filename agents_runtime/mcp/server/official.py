"""A server of the official Python SDK (`mcp` 2.3), made to answer like an `McpServer`. Needs the extra `mcp-sdk`.

It is driven without any transport, through entry points that the SDK does not promise to keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import McpError, Params, Request, is_id
from agents_runtime.mcp.protocol.results import CacheHint
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, INVALID_PARAMS, PROGRESS_TOKEN_KEY

if TYPE_CHECKING:
    from agents_runtime.mcp.server.caller import Caller, Outbound
    from agents_runtime.mcp.server.server import Method


def sdk(name: str) -> Any:  # noqa: ANN401 - a module without types here
    """A module of the SDK. Raises UsageError when it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is missing: install agents_runtime[mcp-sdk]") from error


class OfficialServer:
    """One server of the SDK. Its lifespan begins with the first request and does not end.

    Args:
        target: an `MCPServer` or a low-level `Server`.
    """

    def __init__(self, target: Any) -> None:  # noqa: ANN401 - another library's
        server: Any = getattr(target, "_lowlevel_server", target)
        if not callable(getattr(server, "get_request_handler", None)):
            raise UsageError(f"a {type(target).__name__} is no server of the official SDK, mcp>=2.3,<2.4")
        self._server = server
        self._stack = AsyncExitStack()
        self._state: Any = None
        self._is_ready = False
        self.cache = CacheHint()
        options = server.create_initialization_options()
        self.instructions: str | None = options.instructions
        self.info: Params = {"name": options.server_name, "version": options.server_version}
        self._capabilities: Params = options.capabilities.model_dump(by_alias=True, mode="json", exclude_none=True)

    def capabilities(self, *, can_push: bool = True) -> Params:
        """What the server declares that it can do."""
        return self._capabilities

    def answer_to(self, method: str, *, is_modern: bool) -> Method | None:
        """What answers a method: always the server itself, which knows what it does not know."""
        return self._answer

    async def _answer(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        from pydantic import ValidationError

        runner_module, connection_module = sdk("mcp.server.runner"), sdk("mcp.server.connection")
        mcp_error: type[Exception] = sdk("mcp").MCPError
        if not self._is_ready:
            self._state = await self._stack.enter_async_context(self._server.lifespan(self._server))
            self._is_ready = True
        connection = connection_module.Connection.from_envelope(caller.version, caller.info, caller.capabilities)
        try:
            runner = runner_module.ServerRunner(self._server, connection, self._state)
            result: Params = await runner.on_request(_Dispatch(request, outbound), request.method, request.params)
        except mcp_error as error:
            raise McpError.from_json(cast("Any", error).error.model_dump()) from error
        except ValidationError as error:
            raise McpError(INVALID_PARAMS, "Invalid request parameters") from error
        finally:
            await runner_module.aclose_shielded(connection)
        return result


class _Dispatch:
    """What the SDK asks about one request, and the way back to its sender."""

    def __init__(self, request: Request, outbound: Outbound) -> None:
        context_class = sdk("mcp.shared.transport_context").TransportContext
        self.transport: Any = context_class(kind="streamable-http", can_send_request=False)
        self.request_id = request.id
        self.message_metadata = None
        self.cancel_requested = sdk("anyio").Event()
        self.can_send_request = False
        self._token: object = request.meta.get(PROGRESS_TOKEN_KEY)
        self._outbound = outbound

    async def send_raw_request(self, method: str, params: Mapping[str, Any] | None, opts: Any = None) -> Params:  # noqa: ANN401 - the SDK's
        """Ask the client, where that is possible."""
        try:
            return await self._outbound.request(method, params or {})
        except McpError as error:
            raise sdk("mcp").MCPError(error.error_code or INTERNAL_ERROR, error.message, error.data) from error

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: Any = None) -> None:  # noqa: ANN401 - the SDK's
        """Send a notification."""
        self._outbound.notify(method, params or {})

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the request is, if the client asked to be told."""
        if is_id(self._token):
            optional = {"total": total, "message": message}
            said = {key: value for key, value in optional.items() if value is not None}
            params: Any = {"progressToken": self._token, "progress": progress, **said}
            self._outbound.notify("notifications/progress", params)
