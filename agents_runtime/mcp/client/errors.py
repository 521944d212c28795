"""What goes wrong with an MCP server, for the code that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agents_runtime.errors import FetchFailed, RemoteError

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import McpError


class McpConnectionFailed(RemoteError):
    """Raised when an MCP server could not be connected to. It stays registered; adding it again tries again.

    Attributes:
        server: its name.
        reason: what went wrong.
    """

    code: ClassVar[str] = "mcp_connection_failed"

    def __init__(self, server: str, reason: str) -> None:
        self.server = server
        self.reason = reason
        super().__init__(f"the MCP server {server!r} could not be connected to: {reason}")


class McpUnauthorized(RemoteError):
    """Raised when an MCP server wants a person's consent first.

    Attributes:
        auth_url: where the person gives it; None when there is no way to ask.
    """

    code: ClassVar[str] = "mcp_unauthorized"

    def __init__(self, auth_url: str | None, reason: str = "the server asks for authorization") -> None:
        self.auth_url = auth_url
        super().__init__(reason)


class McpTimeout(RemoteError):
    """Raised when an MCP server did not answer in time. It was told that nobody waits any more.

    Attributes:
        timeout_s: how long it was waited for.
    """

    code: ClassVar[str] = "mcp_timeout"

    def __init__(self, what: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(f"no answer to {what} within {timeout_s:g} s")


class McpToolError(RemoteError):
    """Raised by a tool of `get_ai_tools` when the tool reports an error; the text is the tool's own.

    Attributes:
        result: the whole result.
    """

    code: ClassVar[str] = "mcp_tool_error"

    def __init__(self, text: str, result: dict[str, object]) -> None:
        self.result = result
        super().__init__(text)


class HttpRefusal(RemoteError):
    """Raised when a server answers a message with an HTTP error.

    Attributes:
        status: the HTTP status.
        error: the JSON-RPC error in the body, if there is one.
    """

    code: ClassVar[str] = "mcp_http_error"

    def __init__(self, status: int, error: McpError | None, excerpt: str) -> None:
        self.status = status
        self.error = error
        detail = error.message if error is not None else excerpt
        super().__init__(f"the server answered with HTTP {status}" + (f": {detail}" if detail else ""))


class SessionLost(RemoteError):
    """Raised when a server does not know the session any more; another one may be opened."""

    code: ClassVar[str] = "mcp_session_lost"

    def __init__(self) -> None:
        super().__init__("the server has ended the session")


class ProtocolFailure(RemoteError):
    """Raised when a server breaks the protocol."""

    code: ClassVar[str] = "mcp_protocol_failure"


def may_pass(error: Exception, attempt: int) -> bool:
    """Whether another attempt to connect may succeed."""
    status = http_status_of(error)
    if status is not None:
        return status >= 500 or status == 429
    if isinstance(error, FetchFailed):
        return "redirect" not in error.reason
    return isinstance(error, McpTimeout)


def http_status_of(error: BaseException) -> int | None:
    """The HTTP status that an error came with, also one that said more in its body."""
    refusal = error if isinstance(error, HttpRefusal) else error.__cause__
    return refusal.status if isinstance(refusal, HttpRefusal) else None


MAX_ERROR_CHARS = 500


def error_text(error: object) -> str:
    """An error as clients of the agent may read it: without control characters but tabs and line ends, and short."""
    text = "".join(char for char in str(error) if char.isprintable() or char in "\t\r\n")
    return text if len(text) <= MAX_ERROR_CHARS else text[:MAX_ERROR_CHARS] + "..."
