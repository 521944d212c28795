"""Makes a server ready for one session: its own changes and extensions, however many sessions share what it offers."""

from __future__ import annotations

import copy
import weakref
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.errors import UsageError
from agents_runtime.mcp.server.register import register_mcp_tools
from agents_runtime.mcp.server.requests_state import Sealer
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.server.subscriptions import Changes

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, KeyValue
    from agents_runtime.mcp.protocol.messages import Params
    from agents_runtime.mcp.sessions.session import McpSession

KEY = "cf_agents_mcp:key"
"""Where the key is kept that seals what clients bring back."""


def server_of(agent: object, given: object) -> McpServer:
    """The server that an agent's `server` stands for; None stands for its `@tool` methods.

    Raises:
        UsageError: it is no server.
    """
    if given is None:
        made = McpServer(type(agent).__name__)
        register_mcp_tools(made, agent)
        return made
    if not callable(getattr(given, "capabilities", None)) or not hasattr(given, "answers"):
        raise UsageError(f"{type(agent).__name__}.server must be an McpServer, not {type(given).__name__}")
    return cast("McpServer", given)


def private_view(server: McpServer, *, is_shared: bool) -> McpServer:
    """The same server with extensions of its own; with changes of its own, too, if other sessions share it."""
    view = copy.copy(server)
    vars(view).pop("answers", None)
    view.methods, view.extensions = dict(server.methods), dict(server.extensions)
    if is_shared:
        view.changes = Changes()
    return view


def hear(changes: Changes, session: McpSession) -> None:
    """Tell a session of changes for as long as it is in memory. The server may live longer."""
    told = weakref.WeakMethod(session.changed)

    def tell(method: str, params: Params) -> None:
        if (changed := told()) is not None:
            changed(method, params)

    weakref.finalize(session, changes.listen(tell))


def kept_sealer(kv: KeyValue, clock: Clock) -> Sealer | None:
    """What seals the state of calls with the key that is kept in the object; None when it keeps none."""
    kept: Any = kv.get(KEY)
    return Sealer(bytes.fromhex(kept), clock) if isinstance(kept, str) else None
