"""A handle on one object of a test runtime: the same as in production, with more to say when a call fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime.errors import RemoteError, UsageError
from agents_runtime.routing.handle import AgentHandle

if TYPE_CHECKING:
    from agents_runtime.local.namespaces import LocalId, LocalStub
    from agents_runtime.routing.messages import Response

Object = TypeVar("Object", covariant=True)

BASE_URL = "http://localhost:8787"
"""What relative URLs are relative to: the address of `agents-runtime dev`."""


class LazyStub:
    """A platform stub whose runtime starts with the first call."""

    def __init__(self, object_id: LocalId, connect: Callable[[LocalId], Awaitable[LocalStub]]) -> None:
        self.id = object_id
        self._connect = connect

    async def fetch(self, request: object, **init: object) -> Response:
        """Send an HTTP request to the object."""
        response: Response = await (await self._connect(self.id)).fetch(request, **init)
        return response

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def remote_method(*args: object) -> Any:  # noqa: ANN401 - whatever the method answers
            return await getattr(await self._connect(self.id), name)(*args)

        return remote_method


class ObjectHandle(AgentHandle[Object]):
    """A handle on an object of a test runtime, made by `runtime.get`: `await handle.increment(2)`.

    Like `AgentHandle`, and it works for plain `DurableObject` classes too. Arguments and results are copies.

    Attributes:
        object_id: the object's id, as `ctx.id` has it.
    """

    __slots__ = ("_is_agent", "object_id")

    def __init__(self, stub: LazyStub, *, cls: type, binding: str) -> None:
        super().__init__(stub, lambda: stub, class_name=binding, name=stub.id.name)
        self.object_id = stub.id
        self._is_agent = hasattr(cls, "cf_agents_internal")

    async def fetch(self, request: object, **init: object) -> Response:
        """Send an HTTP request straight to the object, past the worker's entrypoint. A path will do as URL."""
        return await super().fetch(absolute_url(request) if isinstance(request, str) else request, **init)

    async def _ask(self, operation: str, payload: object) -> Any:  # noqa: ANN401 - whatever the object answers
        if not self._is_agent:
            return await self._ask_plain(operation, payload)
        __tracebackhide__ = True  # a failing test shows its own line, and where the object failed
        try:
            return await super()._ask(operation, payload)
        except RemoteError as error:
            trace = getattr(error.__context__, "message", None)
            if isinstance(trace, str) and trace.startswith("Traceback"):
                error.add_note(f"Raised inside {self.object_id!r}:\n{trace}")
            raise error.with_traceback(None) from None

    async def _ask_plain(self, operation: str, payload: Any) -> Any:  # noqa: ANN401 - as above
        if operation != "call":
            raise UsageError(f"{self.object_id!r} is no agent, so it has no {operation} to ask for")
        return await getattr(self._stub, payload["method"])(*payload["args"])


def absolute_url(url_or_path: str) -> str:
    """`url_or_path`, with scheme and host when it is only a path."""
    return BASE_URL + url_or_path if url_or_path.startswith("/") else url_or_path
