"""What an authorization stands on: ports, the server's row, and the head of a refusing answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agents_runtime.mcp.oauth.challenge import read_challenge

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy, Fetch, KeyValue

T = TypeVar("T")


class ServerRow(Protocol):
    """What the agent's table of servers says about one, as far as authorization is concerned."""

    @property
    def client_id(self) -> str | None:
        """As which client."""
        ...

    @property
    def auth_url(self) -> str | None:
        """Where a person was sent for consent that is still awaited."""
        ...

    def note(self, client_id: str | None, auth_url: str | None) -> None:
        """Store both."""
        ...


class Refusal(Protocol):
    """The head of an answer that refuses a request."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What an authorization stands on.

    Attributes:
        permit: raises for an address that the agent must not call.
        spawn: does work in the background, the agent staying in memory.
        atomically: does writes all or none.
        committed: returns once all that was written is durable.
    """

    fetch: Fetch
    kv: KeyValue
    clock: Clock
    entropy: Entropy
    permit: Callable[[str], None]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    atomically: Callable[[Callable[[], None]], None]
    committed: Callable[[], Awaitable[None]]


async def to_its_end(spawn: Callable[[Coroutine[Any, Any, None]], None], work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that goes on when nobody waits for it any more.

    A code and a refresh token can be used once: whoever asked may give up, but what is granted then must be stored.
    """
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def run() -> None:
        try:
            result = await work
        except asyncio.CancelledError:
            done.cancel()
            raise
        except BaseException as error:  # whoever waits is told
            done.set_exception(error)
        else:
            done.set_result(result)

    spawn(run())
    return await asyncio.shield(done)


def is_challenge(answer: Refusal) -> bool:
    """Whether an answer wants another authorization: 401, or 403 for want of a scope."""
    if answer.status == 401:
        return True
    return answer.status == 403 and read_challenge(answer.headers.get("www-authenticate")).error == "insufficient_scope"
