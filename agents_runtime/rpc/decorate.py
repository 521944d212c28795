"""The `callable` decorator, and finding what it marked. Works on the methods of any class, not only of agents."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, isasyncgenfunction, isgeneratorfunction, signature
from types import FunctionType
from typing import Any, TypeVar, overload

from agents_runtime.context import inner, is_awaitable
from agents_runtime.errors import DefinitionError, UsageError

Method = TypeVar("Method", bound=Callable[..., Any])

_MARK = "agents_callable"


@dataclass(frozen=True, slots=True)
class CallableMetadata:
    """What `@callable` was told about a method.

    Attributes:
        name: the name on the wire.
        description: for people and tools.
        streaming: whether it answers in chunks.
        timeout_s: seconds after which the caller gets an error and the method is cancelled; None: no limit.
    """

    name: str
    description: str | None = None
    streaming: bool = False
    timeout_s: float | None = None


class Exposed:
    """A callable of one class, ready to be called."""

    __slots__ = ("attribute", "function", "is_generator", "metadata", "takes_stream")

    def __init__(self, attribute: str, function: FunctionType, metadata: CallableMetadata) -> None:
        self.attribute = attribute
        self.function = inner(function)
        self.metadata = metadata
        self.is_generator = isasyncgenfunction(self.function) or isgeneratorfunction(self.function)
        self.takes_stream = metadata.streaming and not self.is_generator


@overload
def callable(function: Method, /) -> Method: ...
@overload
def callable(
    *,
    name: str | None = None,
    description: str | None = None,
    streaming: bool = False,
    timeout_s: float | None = None,
) -> Callable[[Method], Method]: ...
def callable(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    streaming: bool = False,
    timeout_s: float | None = None,
) -> Any:
    """Let clients call this method by name over their WebSocket.

    Annotated parameters are checked before the method runs. The result is sent as JSON; an exception is sent as
    its text, so raise `RpcError` for what clients should read. A generator streams what it yields; with
    `streaming=True` the method takes a `StreamingResponse` first. Calls run concurrently where they await.
    An override must be decorated again to stay callable.

    Args:
        function: the method, when used without brackets.
        name: the name on the wire, if it is not the method's.
        description: for people and tools that list the methods.
        streaming: the first parameter after `self` is a `StreamingResponse`. Not needed for generators.
        timeout_s: after so many seconds the caller gets an error and the method is cancelled.

    Raises:
        DefinitionError: the method is private, or is not a plain method.
    """

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        if not isinstance(method, FunctionType):
            raise DefinitionError(
                f"@callable goes directly on a method, below any other decorator, not on a {type(method).__name__}"
            )
        if method.__name__.startswith("_"):
            raise DefinitionError(f"@callable on the private method {method.__qualname__}: rename it without the _")
        if timeout_s is not None and not timeout_s > 0:
            raise DefinitionError(f"@callable on {method.__qualname__}: timeout_s must be above 0, not {timeout_s!r}")
        is_streaming = streaming or isasyncgenfunction(method) or isgeneratorfunction(method)
        metadata = CallableMetadata(name or method.__name__, description, is_streaming, timeout_s)
        vars(method).setdefault(_MARK, metadata)
        return method

    return mark if function is None else mark(function)


_tables: weakref.WeakKeyDictionary[type, Mapping[str, Exposed]] = weakref.WeakKeyDictionary()


def exposed_by(cls: type) -> Mapping[str, Exposed]:
    """The callables of a class, by wire name; the nearest class wins.

    Raises:
        DefinitionError: two methods have one wire name, or a method asks for what a client cannot send.
    """
    table = _tables.get(cls)
    if table is None:
        table = _tables[cls] = _build_table(cls)
    return table


def _build_table(cls: type) -> dict[str, Exposed]:
    table: dict[str, Exposed] = {}
    seen: set[str] = set()
    for base in cls.__mro__:
        for attribute, value in vars(base).items():
            if attribute in seen:
                continue
            seen.add(attribute)
            if not isinstance(value, FunctionType) or not isinstance(
                metadata := vars(value).get(_MARK), CallableMetadata
            ):
                continue
            other = table.get(metadata.name)
            if other is not None:
                raise DefinitionError(
                    f"{cls.__name__}.{attribute} and {cls.__name__}.{other.attribute} are both callable as "
                    f"{metadata.name!r}: give one of them another name="
                )
            table[metadata.name] = exposed = Exposed(attribute, value, metadata)
            _check_parameters(cls, exposed)
    return dict(sorted(table.items()))


def _check_parameters(cls: type, exposed: Exposed) -> None:
    where = f"{cls.__name__}.{exposed.attribute}"
    parameters = list(signature(exposed.function).parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind is Parameter.KEYWORD_ONLY and parameter.default is Parameter.empty:
            raise DefinitionError(f"{where}: clients cannot send the keyword-only argument {parameter.name!r}")
    takes_one = any(p.kind not in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD) for p in parameters)
    if exposed.takes_stream and not takes_one:
        raise DefinitionError(f"{where} is streaming: its first parameter after self must take the StreamingResponse")


def get_callable_methods(obj: object) -> dict[str, Callable[..., Any]]:
    """List the `@callable` methods of any object: bound methods by wire name."""
    return {name: getattr(obj, exposed.attribute) for name, exposed in exposed_by(type(obj)).items()}


async def call_callable(obj: object, name: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - the method's
    """Call a `@callable` method of any object by its wire name, sync or async.

    Raises:
        UsageError: the object has no callable of that name; the text lists those it has.
    """
    exposed = exposed_by(type(obj)).get(name)
    if exposed is None:
        known = ", ".join(exposed_by(type(obj))) or "none"
        raise UsageError(f"{type(obj).__name__} has no callable {name!r}; its callables are: {known}")
    result: Any = getattr(obj, exposed.attribute)(*args, **kwargs)
    return await result if is_awaitable(result) else result
