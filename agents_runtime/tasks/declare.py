"""The `task` decorator, finding what it marked, and how the arguments of a run become its stored input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, iscoroutinefunction, signature
from types import FunctionType
from typing import Any, TypeVar, cast, overload

from agents_runtime._core.jsonx import dumps, loads, size_bytes
from agents_runtime.context import inner
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.tasks.errors import ValueTooLarge

Method = TypeVar("Method", bound=Callable[..., Any])

MAX_NAME_CHARS = 256
MAX_VALUE_BYTES = 1 << 20
"""The most bytes of JSON in an input, a result or a step's result."""

_MARK = "agents_task"
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A task of one class.

    Attributes:
        name: what runs of it are stored under.
        attribute: the method's name.
        function: the method, to be called with the agent, a `Step` and the arguments.
        required: how many arguments it needs after `step`.
        accepted: how many it takes; None: any number.
    """

    name: str
    attribute: str
    function: FunctionType
    required: int
    accepted: int | None

    @property
    def takes_one(self) -> bool:
        """Whether it has exactly one argument, which then is the input itself, as it is for JavaScript."""
        return self.accepted == 1


@overload
def task(function: Method, /) -> Method: ...
@overload
def task(*, name: str | None = None) -> Callable[[Method], Method]: ...
def task(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make a method a durable function: `@task async def research(self, step, topic)`.

    Start it with `await self.tasks.run("research", topic)`. Once that returned, the task runs to its end or fails with
    a reason, through crashes and restarts: it is run again from the top, and each `step` that was done before gives its
    journaled result instead of running again. So what has effects or takes time belongs into steps, and only the
    arguments and the results of steps may decide what comes next.

    Args:
        function: the method, when used without brackets.
        name: the name under which runs are stored, if it is not the method's. Renaming it orphans the runs under way.

    Raises:
        DefinitionError: it is no `async def`, or takes no `step`.
    """

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        if not isinstance(method, FunctionType):
            raise DefinitionError(f"@task goes directly on a method, below other decorators, not on {method!r}"[:300])
        if not iscoroutinefunction(method):
            raise DefinitionError(f"@task on {method.__qualname__}: write async def, since steps are awaited")
        _check_name(method, name)
        positional, accepted = _arguments(method)
        if accepted is not None and len(positional) < 1:
            raise DefinitionError(f"@task on {method.__qualname__}: its first parameter after self must be `step`")
        vars(method)[_MARK] = name or method.__name__
        return method

    return mark if function is None else mark(function)


def _check_name(method: FunctionType, name: str | None) -> None:
    if name is not None and not (name.strip() and len(name) <= MAX_NAME_CHARS):
        raise DefinitionError(f"@task on {method.__qualname__}: name= must have 1 to {MAX_NAME_CHARS} characters")


def _arguments(method: FunctionType) -> tuple[list[Parameter], int | None]:
    """The positional parameters after `self`, and how many there may be; None: any number."""
    parameters = list(signature(method).parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind is Parameter.KEYWORD_ONLY and parameter.default is Parameter.empty:
            raise DefinitionError(
                f"@task on {method.__qualname__}: the keyword-only argument {parameter.name!r} cannot be given"
            )
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    is_open = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters)
    return positional, None if is_open else len(positional)


def tasks_of(cls: type) -> Mapping[str, TaskDefinition]:
    """The tasks of a class by name; the nearest class wins. An override must be decorated again.

    Raises:
        DefinitionError: two methods are tasks of one name.
    """
    found: dict[str, TaskDefinition] = {}
    seen: set[str] = set()
    for base in cls.__mro__:
        for attribute, value in vars(base).items():
            if attribute in seen:
                continue
            seen.add(attribute)
            name = vars(value).get(_MARK) if isinstance(value, FunctionType) else None
            if name is None:
                continue
            if name in found:
                raise DefinitionError(
                    f"{cls.__name__}.{attribute} and {cls.__name__}.{found[name].attribute} are both the task "
                    f"{name!r}: give one of them another name="
                )
            found[name] = _define(name, attribute, cast("FunctionType", value))
    return found


def _define(name: str, attribute: str, value: FunctionType) -> TaskDefinition:
    function = inner(value)
    positional, accepted = _arguments(function)
    given = positional[1:]
    required = sum(parameter.default is Parameter.empty for parameter in given)
    return TaskDefinition(name, attribute, function, required, None if accepted is None else accepted - 1)


def task_name(task: str | Callable[..., object]) -> str:
    """The name of a task: itself, or that of a decorated method."""
    if isinstance(task, str):
        return task
    function = getattr(task, "__func__", task)
    name = getattr(function, _MARK, None)
    if not isinstance(name, str):
        raise UsageError(f"{getattr(task, '__qualname__', task)!r} is no task: decorate the method with @task")
    return name


def pack(definition: TaskDefinition, args: Sequence[object]) -> str | None:
    """The arguments of a run as JSON to store; None when there are none.

    Raises:
        UsageError: there are too few or too many, or too much.
        NotJson: naming the part that is no JSON.
    """
    most = definition.accepted
    if len(args) < definition.required or (most is not None and len(args) > most):
        few = definition.required
        wanted = f"{few}" if most == few else f"{few} or more" if most is None else f"{few} to {most}"
        raise UsageError(f"the task {definition.name!r} takes {wanted} arguments, not {len(args)}")
    if not args:
        return None
    return checked_json(args[0] if definition.takes_one else list(args), f"the input of the task {definition.name!r}")


def unpack(definition: TaskDefinition, stored: str | None) -> list[Any]:
    """The arguments that a stored input stands for."""
    if stored is None:
        return []
    value = loads(stored)
    if not definition.takes_one and isinstance(value, list):
        return list(value)
    return [value] if definition.accepted != 0 else []


def checked_json(value: object, what: str) -> str:
    """`value` as JSON of at most 1 MiB.

    Raises:
        NotJson: naming the part that is no JSON.
        ValueTooLarge: it has more.
    """
    text = dumps(value, what)
    if len(text) * 4 > MAX_VALUE_BYTES and (size := size_bytes(text)) > MAX_VALUE_BYTES:
        raise ValueTooLarge(what, size, MAX_VALUE_BYTES)
    return text
