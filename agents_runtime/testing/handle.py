"""A typed handle on one object of a test runtime."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from agents_runtime.errors import UsageError
from agents_runtime.testing.frames import Json

if TYPE_CHECKING:
    from agents_runtime.agent import Agent
    from agents_runtime.local.namespaces import LocalId, LocalStub
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import FetchResponse

O_co = TypeVar("O_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

BASE_URL = "http://localhost:8787"
"""What relative URLs are relative to: the address of `agents-runtime dev`."""


class AgentHandle(Generic[O_co]):
    """A handle on one object: `await handle.method(*args)` calls any of its methods, as another Worker would.

    Arguments and results are copies, under the platform's rules for values. `call` does the same with the types
    checked: `await handle.call(Counter.increment, 2)`.

    Attributes:
        id: the object's id.
    """

    def __init__(self, object_id: LocalId, stub: Callable[[LocalId], Awaitable[LocalStub]]) -> None:
        self.id = object_id
        self._stub = stub

    @property
    def name(self) -> str | None:
        """The name it was addressed by; None for unique ids."""
        return self.id.name

    @property
    def state(self: AgentHandle[Agent[S]]) -> Coroutine[Any, Any, S]:
        """The agent's state, to be awaited: `await handle.state`."""
        return self._read_state()

    async def fetch(self, request: Request | str, **init: Any) -> FetchResponse:  # noqa: ANN401 - as `workers.Request`
        """Send an HTTP request straight to the object, past the worker's entrypoint. A path will do as URL."""
        stub = await self._stub(self.id)
        url_or_request = absolute_url(request) if isinstance(request, str) else request
        response: FetchResponse = await stub.fetch(url_or_request, **init)
        return response

    @overload
    async def call(
        self, method: Callable[Concatenate[O_co, P], Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    async def call(self, method: Callable[Concatenate[O_co, P], R], *args: P.args, **kwargs: P.kwargs) -> R: ...
    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method given as `Class.method`, so that editors and type checkers know it."""
        return await self._invoke(method.__name__, *positional(method, args, kwargs))

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Json]]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def remote_method(*args: Json) -> Json:
            return await self._invoke(name, *args)

        remote_method.__name__ = remote_method.__qualname__ = name
        return remote_method

    def __repr__(self) -> str:
        return f"<handle on {self.id!r}>"

    async def _invoke(self, name: str, *args: Json) -> Json:
        stub = await self._stub(self.id)
        return await getattr(stub, name)(*args)

    async def _read_state(self) -> Any:
        return await self._invoke("cf_agents_internal", "state", None)


def absolute_url(url_or_path: str) -> str:
    """`url_or_path`, with scheme and host when it is only a path."""
    return BASE_URL + url_or_path if url_or_path.startswith("/") else url_or_path


def positional(method: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of a method call in order, since calls between objects have no keyword arguments."""
    if not kwargs:
        return args
    bound = inspect.signature(method).bind(None, *args, **kwargs)
    if bound.kwargs:
        raise UsageError(
            f"{', '.join(bound.kwargs)} of {method.__qualname__} can only be given by keyword, and calls between objects "
            "have positional arguments only: allow it by position"
        )
    return bound.args[1:]
