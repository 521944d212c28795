"""What code outside an agent holds to talk to it: a typed handle over the platform's stub."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from agents_runtime._platform.base import is_request
from agents_runtime.errors import AgentError, RemoteError, RetryableError, UsageError
from agents_runtime.routing.messages import HttpRequest, Response, without_internal_headers
from agents_runtime.routing.retry import is_error_retryable

AgentType = TypeVar("AgentType", covariant=True)
StateType = TypeVar("StateType", covariant=True)
Result = TypeVar("Result")
Params = ParamSpec("Params")

_ENTRY = "cf_agents_internal"
_PROBED = frozenset({"then", "toJSON"})
"""Names that other libraries look for on any object they meet. No agent is asked for them."""


class HasState(Protocol[StateType]):
    """An agent class with a typed state."""

    @property
    def state(self) -> StateType:
        """The state."""
        ...


class AgentHandle(Generic[AgentType]):
    """A handle on an agent, wherever it runs: `await handle.increment(by=2)`, `await handle.state`.

    Any public name is a method of the agent, to be called and awaited; `call(Counter.increment, by=2)` does the same
    with types. Arguments and results are copied and must be plain data. A call is made once and never repeated: when
    it fails, it may or may not have taken effect. Looking at a handle asks the agent nothing.

    Raises:
        RemoteError: the agent's method raised; the text is that of its exception, without a traceback.
        RetryableError: the platform lost the agent for a moment; the same call may succeed now.
    """

    __slots__ = ("_class_name", "_name", "_reconnect", "_stub")

    def __init__(self, stub: object, reconnect: Callable[[], Any], *, class_name: str, name: str | None) -> None:
        self._stub: Any = stub
        self._reconnect = reconnect
        self._class_name = class_name
        self._name = name

    @property
    def name(self) -> str | None:
        """The agent's name; None when it was addressed by its id."""
        return self._name

    @property
    def id(self) -> str:
        """The agent's id: 64 hexadecimal digits."""
        return str(self._stub.id.toString())

    @property
    def state(self: AgentHandle[HasState[StateType]]) -> Awaitable[StateType]:
        """The agent's state, to be awaited: `await handle.state`. A copy."""
        return Pending(lambda: self._ask("state", None))

    @overload
    async def call(
        self,
        method: Callable[Concatenate[AgentType, Params], Coroutine[Any, Any, Result]],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result: ...
    @overload
    async def call(
        self,
        method: Callable[Concatenate[AgentType, Params], Result],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result: ...
    @overload
    async def call(self, method: str, /, *args: object, **kwargs: object) -> Any: ...  # noqa: ANN401 - whatever the method answers
    async def call(self, method: str | Callable[..., Any], /, *args: object, **kwargs: object) -> Any:
        """Call a callable or verb of the agent, by its name or as `Counter.increment`."""
        name = method if isinstance(method, str) else method.__name__
        return await self._ask("call", {"method": name, "args": list(args), "kwargs": kwargs})

    async def fetch(self, request: object, **init: object) -> Response:
        """Send the agent an HTTP request or a WebSocket upgrade; its URL is handed on as it is.

        Internal headers that came in from outside are removed. Raises what the platform raises.
        """
        if is_request(request):
            request = without_internal_headers(cast("HttpRequest", request))
        try:
            return await self._stub.fetch(request, **init)
        except Exception:
            self._stub = self._reconnect()
            raise

    def __getattr__(self, name: str) -> RemoteMethod:
        if name.startswith("_") or name in _PROBED:
            raise AttributeError(f"an agent's {name!r} cannot be reached through a handle")
        return RemoteMethod(self, name)

    def __repr__(self) -> str:
        return f"<AgentHandle {self._class_name} {self._name or self.id}>"

    async def _ask(self, operation: str, payload: object) -> Any:  # noqa: ANN401 - whatever the agent answers
        try:
            return await call_entry(self._stub, operation, payload, self._class_name)
        except (RemoteError, RetryableError):
            self._stub = self._reconnect()
            raise


class RemoteMethod:
    """A method of an agent elsewhere. Calling it sends the call; naming it sends nothing."""

    __slots__ = ("__name__", "_handle")

    def __init__(self, handle: AgentHandle[Any], name: str) -> None:
        self._handle = handle
        self.__name__ = name

    def __call__(self, /, *args: object, **kwargs: object) -> Coroutine[Any, Any, Any]:
        """Call the method; await the result."""
        return self._handle.call(self.__name__, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<method {self.__name__} of {self._handle!r}>"


class Pending(Generic[Result]):
    """Something asked for only when it is awaited."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        self._ask = ask

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._ask().__await__()


def stub_of(handle: AgentHandle[Any]) -> Any:  # noqa: ANN401 - a platform stub
    """The platform's stub behind a handle."""
    return handle._stub  # pyright: ignore[reportPrivateUsage] # of this module


async def call_entry(stub: Any, operation: str, payload: object, class_name: str) -> Any:  # noqa: ANN401 - a platform stub
    """Call the one internal method that agents have for each other. Errors come out as the handle documents them."""
    try:
        return await stub.cf_agents_internal(operation, payload)
    except (AgentError, TypeError):
        raise
    except Exception as exc:
        text = error_line(exc)
        if _ENTRY in text and getattr(exc, "name", None) != "PythonError":  # the platform's own refusal
            raise UsageError(
                f"{class_name} is not an Agent: subclass agents_runtime.Agent, or use env directly"
            ) from None
        if is_error_retryable(exc):
            raise RetryableError(text) from None
        raise RemoteError(text) from None


def error_line(error: BaseException) -> str:
    """What went wrong in one line: a remote exception without its traceback, or the error's own text."""
    text = getattr(error, "message", None)
    lines = (text if isinstance(text, str) else str(error)).strip().splitlines()
    frames = [index for index, line in enumerate(lines) if line.startswith('  File "')]
    if not frames:
        return lines[-1] if lines else type(error).__name__
    after = (line for line in lines[frames[-1] + 1 :] if line and not line[0].isspace())
    kind, colon, message = next(after, lines[-1]).partition(": ")
    return kind.rpartition(".")[2] + colon + message
