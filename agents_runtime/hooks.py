"""What a class of agents may fill in: hooks, called by the agent, empty by default.

They may be sync or async unless they say otherwise, and leave out last parameters. The hooks of schedules and fibers
stand with the verbs of those.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic, Literal

from agents_runtime._core.capability import DONE
from agents_runtime._platform.base import make_response
from agents_runtime.connections.connection import Connection

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from agents_runtime.connections.handshake import ConnectionContext

    State = TypeVar("State", default=Any)
else:
    from typing import TypeVar

    State = TypeVar("State")

logger = logging.getLogger("agents_runtime")

MaybeAwaitable = Awaitable[None] | None
StateSource = Connection | Literal["server"]
"""Who changed a state."""


class Hooks(Generic[State]):
    """The hooks of an agent whose state is a `State`."""

    __slots__ = ()

    def on_start(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - so that a subclass may leave `props` out
        """Get ready; called as `on_start(props)` once each time the agent wakes, before anything else is handled.

        `props` are those given last by `get_agent_by_name` or `route_agent_request`, None if there never were any. When
        it raises, the event that woke the agent fails and the next one tries again.
        """
        return DONE

    def on_request(self, request: Any, /) -> Any:  # noqa: ANN401 - the platform's request and response
        """Answer an HTTP request with a `workers.Response`. By default 404."""
        return _not_implemented()

    def on_connect(self, connection: Connection, ctx: ConnectionContext, /) -> MaybeAwaitable:
        """Greet a client that has connected and got the agent's own frames; `ctx.request` is its upgrade request.

        Nothing it sends is handled before this is done. When it raises, the connection is closed with 1011.
        """
        return DONE

    def on_message(self, connection: Connection, message: str | bytes, /) -> MaybeAwaitable:
        """Handle what a client sent that is neither a call nor a state. Messages are handled concurrently at awaits."""
        return DONE

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool, /) -> MaybeAwaitable:
        """Take note that a client is gone. It is in no list any more and nothing can be sent to it."""
        return DONE

    def on_error(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - called in two ways
        """Handle what went wrong: `on_error(error)`, or `on_error(connection, error)` for an error of a connection.

        Called for exceptions of hooks and of background work, not for those of callables: their callers are told. By
        default the error is logged. To return is to have handled it; a failed request is answered with 500 either way.
        """
        logger.error("%s failed", type(self).__name__, exc_info=args[-1])
        return DONE

    def on_alarm(self) -> MaybeAwaitable:
        """Do something of your own each time the agent's alarm goes off. When it raises, the alarm is repeated."""
        return DONE

    def on_state_changed(self, state: State, source: StateSource, /) -> MaybeAwaitable:
        """Take note of a new state, stored and sent already; `source` is "server" or a connection.

        Called at once by `set_state`; what it awaits goes on in the background. What it raises goes to `on_error`.
        """
        return DONE

    def validate_state_change(self, next_state: State, source: StateSource, /) -> None:
        """Raise to refuse a state before it is stored. `source` is "server" or a connection. Plain `def` only."""


async def _not_implemented() -> Any:  # noqa: ANN401 - the platform's response
    return make_response("Not implemented", 404, {"content-type": "text/plain;charset=UTF-8"})
