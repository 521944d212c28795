"""How messages get to a server and back, whatever carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from agents_runtime._platform.ports import HttpAnswer
    from agents_runtime.mcp.oauth.outcomes import ChallengeOutcome
    from agents_runtime.mcp.protocol.messages import Message, Params

Deliver = Callable[["Message"], None]
"""Takes what a server sent. Never waits."""

Kind = Literal["streamable-http", "sse", "rpc"]


class Authorization(Protocol):
    """Credentials for one server."""

    async def headers(self) -> Mapping[str, str]:
        """The headers of the next request."""
        ...

    async def on_challenge(self, answer: HttpAnswer, sent: Mapping[str, str] | None = None) -> ChallengeOutcome:
        """React to an answer that asks for other credentials than those that `sent` says."""
        ...


class Transport(Protocol):
    """One way to one server.

    Attributes:
        session_id: the session the server has opened for this client, if any.
        version: the version that was agreed on; None before that.
    """

    session_id: str | None
    version: str | None

    @property
    def kind(self) -> Kind:
        """Which way it is."""
        ...

    async def exchange(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> bool:
        """Send a request and deliver what comes back, up to its answer.

        False: the answer, if there is one, was delivered. True: it may still come by another way.
        Cancelling it tells the server, where closing a stream does that.
        """
        ...

    async def send(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> None:
        """Send what has no answer: a notification, or the response to a request of the server."""
        ...

    def listen(
        self, deliver: Deliver, opened: Callable[[], None], ended: Callable[[str], None]
    ) -> Awaitable[None] | None:
        """Receive what the server sends on its own account, until the server ends it; None where there is no way.

        `opened` is called when it is open, `ended` when nothing at all can be received any more.
        """
        ...

    async def close(self, *, ends_session: bool) -> None:
        """Let go of everything open, and end the session at the server if asked to."""
        ...
