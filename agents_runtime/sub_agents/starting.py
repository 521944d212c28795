"""What keeps a child from calling an agent above it that is starting and waits for the child: neither would go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime.sub_agents.front import Carried

T = TypeVar("T")


class _Ask:
    """Something that an agent asked while it was starting. What it left running afterwards holds nobody up."""

    __slots__ = ("is_over",)

    def __init__(self) -> None:
        self.is_over = False


_ASK: ContextVar[_Ask | None] = ContextVar("agents_runtime_asked_by_a_start", default=None)


def waits_for_a_start() -> bool:
    """Whether this code runs for an agent above that is starting."""
    ask = _ASK.get()
    return ask is not None and not ask.is_over


async def asked_by_a_start(work: Callable[[], Awaitable[T]]) -> T:
    """Do what an agent above asks while it is starting."""
    before = _ASK.get()
    ask = _Ask()
    _ASK.set(ask)
    try:
        return await work()
    finally:
        ask.is_over = True
        _ASK.set(before)


class AboveStub:
    """The stub of the agent around another one."""

    def __init__(self, stub: Carried, class_name: str) -> None:
        self._stub = stub
        self._class_name = class_name
        self.id = stub.id

    async def cf_agents_internal(self, op: str, payload: Carried) -> Carried:
        """Call it."""
        self._check()
        return await self._stub.cf_agents_internal(op, payload)

    async def fetch(self, request: Carried, **init: Carried) -> Carried:
        """Send it an HTTP request."""
        self._check()
        return await self._stub.fetch(request, **init)

    def _check(self) -> None:
        if waits_for_a_start():
            raise UsageError(
                f"the {self._class_name} around this agent is starting and waits for it, so it cannot be called: both "
                "would wait for ever. Return what it needs, or call it later: await self.schedule(0, ...)"
            )
