"""Who is running, for whom: the current agent, found from anywhere in the code it calls.

Kept in a context variable, so that it follows awaits and tasks. Entering another agent hides the first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import CoroutineType, FunctionType
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.peer import CurrentAgent

if TYPE_CHECKING:
    from agents_runtime._core.lifecycle import Lifecycle

NOBODY = CurrentAgent()
CURRENT: ContextVar[CurrentAgent] = ContextVar("agents_runtime_current_agent", default=NOBODY)
"""Set and put back by value, never reset by token: a coroutine may be continued in a copy of its context."""

Function = Callable[..., Any]


def get_current_agent() -> CurrentAgent:
    """Say which agent's code is running, and for which connection, request or e-mail.

    All fields are None outside of an agent. `request` is there in `on_request` and `on_connect`, `connection` in
    `on_connect`, `on_message`, `on_close` and callables, `email` in `on_email`; `on_state_changed` sees what its
    `set_state` saw.
    """
    return CURRENT.get()


def is_awaitable(value: object) -> bool:
    """Whether `value` can be awaited."""
    return type(value) is CoroutineType or hasattr(value, "__await__")


def call_in(scope: CurrentAgent, function: Function, *args: object) -> Any:  # noqa: ANN401 - what `function` gives
    """Call a hook as the agent of `scope`, and return what it returns, awaitable or not."""
    previous = CURRENT.get()
    CURRENT.set(scope)
    try:
        return function(*args)
    finally:
        CURRENT.set(previous)


async def run_in(scope: CurrentAgent, function: Function, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - what `function` gives
    """Call a hook, sync or async, as the agent of `scope`."""
    previous = CURRENT.get()
    CURRENT.set(scope)
    try:
        result: Any = function(*args, **kwargs)
        return await result if is_awaitable(result) else result
    finally:
        CURRENT.set(previous)


class Entry:
    """How the public methods of one agent are entered from outside of it."""

    __slots__ = ("lifecycle", "scope", "starts_plain_methods")

    def __init__(self, scope: CurrentAgent, lifecycle: Lifecycle, *, starts_plain_methods: bool = True) -> None:
        self.scope = scope
        self.lifecycle = lifecycle
        self.starts_plain_methods = starts_plain_methods
        """Whether a plain `def` called on a cold agent first waits for its start, and so returns a coroutine."""


def entered(function: FunctionType, entry_of: Callable[[Any], Entry]) -> FunctionType:
    """`function` such that a call from outside runs as the agent, after its start. Calls from inside pass through.

    The result is a plain function, which is what the platform exposes to other objects.
    """
    if isasyncgenfunction(function) or isgeneratorfunction(function):
        return function
    enter = _entered_async(function, entry_of) if iscoroutinefunction(function) else _entered_plain(function, entry_of)
    vars(enter)["agents_inner"] = function
    return enter


def inner(function: FunctionType) -> FunctionType:
    """The user's own function behind `entered`."""
    return cast("FunctionType", vars(function).get("agents_inner", function))


def _entered_async(function: FunctionType, entry_of: Callable[[Any], Entry]) -> FunctionType:
    @wraps(function)
    def enter(self: object, *args: object, **kwargs: object) -> object:
        if CURRENT.get().agent is self:
            return function(self, *args, **kwargs)
        return _start_and_call(entry_of(self), function, self, args, kwargs)

    return cast("FunctionType", enter)


def _entered_plain(function: FunctionType, entry_of: Callable[[Any], Entry]) -> FunctionType:
    @wraps(function)
    def enter(self: object, *args: object, **kwargs: object) -> object:
        previous = CURRENT.get()
        if previous.agent is self:
            return function(self, *args, **kwargs)
        entry = entry_of(self)
        if entry.starts_plain_methods and not entry.lifecycle.is_started:
            return _start_and_call(entry, function, self, args, kwargs)
        CURRENT.set(entry.scope)
        try:
            return function(self, *args, **kwargs)
        finally:
            CURRENT.set(previous)

    return cast("FunctionType", enter)


async def _start_and_call(
    entry: Entry, function: Function, agent: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    if not entry.lifecycle.is_started:
        await entry.lifecycle.ensure_started()
    previous = CURRENT.get()
    CURRENT.set(entry.scope)
    try:
        result: Any = function(agent, *args, **kwargs)
        return await result if is_awaitable(result) else result
    finally:
        CURRENT.set(previous)
