"""What agents offer for their connections: verbs, and the hooks that decide about a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import DONE, Done

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime._core.peer import Payload
    from agents_runtime.connections.connection import Connection
    from agents_runtime.connections.handshake import ConnectionContext
    from agents_runtime.connections.registry import ConnectionRegistry, Exclusion


class ConnectionVerbs:
    """The verbs and hooks of an agent's connections."""

    __slots__ = ()

    if TYPE_CHECKING:
        _connections: capability[ConnectionRegistry]

    def broadcast(self, message: Payload, without: Exclusion = None) -> Done:
        """Send one message to every connected client: text and bytes as they are, a mapping as JSON text.

        Acts at once; awaiting is optional. A connection that is closing is left out silently.

        Args:
            message: what to send.
            without: a connection, an id (all connections with that id), or several of either.
        """
        self._connections.broadcast(message, without)
        return DONE

    def get_connection(self, connection_id: str) -> Connection | None:
        """Find the open connection with this id, the newest if there are several; None if there is none."""
        return self._connections.get(connection_id)

    def get_connections(self, tag: str | None = None) -> list[Connection]:
        """List the open connections, newest first; only those with `tag` when it is given. An id is a tag."""
        return self._connections.all(tag)

    def set_connection_readonly(self, connection: Connection, is_readonly: bool = True, /) -> None:
        """Forbid a connection to change the state, or allow it again. Survives the agent's sleep.

        Its own state writes are refused then, and so is `set_state` in methods it calls.
        """
        connection.is_readonly = is_readonly
        connection.save_flags()

    def is_connection_readonly(self, connection: Connection) -> bool:
        """Whether a connection may not change the state."""
        return connection.is_readonly

    def is_connection_protocol_enabled(self, connection: Connection) -> bool:
        """Whether a connection gets the agent's own frames: identity, state, MCP servers."""
        return connection.sends_protocol

    def get_connection_tags(self, connection: Connection, ctx: ConnectionContext, /) -> Any:  # noqa: ANN401 - sync or async
        """Return tags for a new connection, at most 9 of up to 256 characters, for `get_connections(tag)`."""
        return ()

    def should_connection_be_readonly(self, connection: Connection, ctx: ConnectionContext, /) -> bool:
        """Whether a new connection may not change the state. Plain `def` only."""
        return False

    def should_send_protocol_messages(self, connection: Connection, ctx: ConnectionContext, /) -> bool:
        """Whether a new connection gets identity, state and MCP frames. Plain `def` only."""
        return True
