"""The `tool` decorator, and finding and calling what it marked. Works on methods of any class, not only of agents."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args, overload

from agents_runtime.context import inner, is_awaitable
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.tools.docstrings import summary_of
from agents_runtime.mcp.tools.signature import Signature, WrongArguments, output_schema

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.headers import MirroredParam
    from agents_runtime.mcp.tools.schema import Schema

Method = TypeVar("Method", bound=Callable[..., Any])

_MARK = "agents_tool"

TaskSupport = Literal["optional", "required", "later"]
"""Whether a call of a tool becomes a durable task."""

TASK_SUPPORT: tuple[TaskSupport, ...] = get_args(TaskSupport)
_is_name = re.compile(r"[A-Za-z0-9_.-]{1,128}").fullmatch


class Tool:
    """One tool: a function and what clients are told about it. Its schemas are made when they are first needed.

    Attributes:
        name: the name on the wire.
        function: what runs.
        is_method: whether the function takes the object it belongs to first.
        is_async: whether calling it gives something to await.
        task: whether a call becomes a durable task, where that is possible.
    """

    def __init__(self, function: FunctionType, options: Mapping[str, Any], *, is_method: bool) -> None:
        self.function = inner(function)
        self.name: str = options.get("name") or function.__name__
        self.is_method = is_method
        self.is_async = iscoroutinefunction(self.function)
        self._options = options
        self.task: TaskSupport | None = options.get("task")
        self.where = f"the tool {function.__qualname__}"
        if not _is_name(self.name):
            raise DefinitionError(f"{self.where}: {self.name!r} is no name for a tool; use letters, digits, . _ and -")

    @cached_property
    def signature(self) -> Signature:
        """Its parameters and input schema. Raises DefinitionError when none can be made."""
        return Signature(self.function, self.where, is_method=self.is_method, given=self._options.get("input_schema"))

    @cached_property
    def output_schema(self) -> Schema | None:
        """The schema of its structured result, if it has one."""
        given = self._options.get("output_schema")
        return dict(given) if given is not None else output_schema(self.function, self.where)

    @cached_property
    def mirrored(self) -> tuple[MirroredParam, ...]:
        """Its parameters that have headers of their own. Raises DefinitionError when an annotation is wrong."""
        from agents_runtime.mcp.protocol.headers import mirrored_params

        try:
            return mirrored_params(self.signature.schema)
        except ValueError as error:
            raise DefinitionError(f"{self.where}: {error}") from None

    @cached_property
    def listing(self) -> Schema:
        """What `tools/list` says about it."""
        options = self._options
        description = options.get("description") or summary_of(self.function.__doc__) or self.name
        entry: Schema = {"name": self.name, "description": description, "inputSchema": self.signature.schema}
        if options.get("title") is not None:
            entry["title"] = options["title"]
        if self.output_schema is not None:
            entry["outputSchema"] = self.output_schema
        for option, key in (("annotations", "annotations"), ("icons", "icons"), ("meta", "_meta")):
            if options.get(option) is not None:
                entry[key] = options[option]
        _ = self.mirrored  # a wrong annotation fails here, and not in a call
        return entry


@overload
def tool(function: Method, /) -> Method: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    title: str | None = None,
    annotations: Mapping[str, Any] | None = None,
    icons: list[Mapping[str, Any]] | None = None,
    meta: Mapping[str, Any] | None = None,
    task: TaskSupport | None = None,
) -> Callable[[Method], Method]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    title: str | None = None,
    annotations: Mapping[str, Any] | None = None,
    icons: list[Mapping[str, Any]] | None = None,
    meta: Mapping[str, Any] | None = None,
    task: TaskSupport | None = None,
) -> Any:
    """Offer this method to models as an MCP tool. It may be sync or async.

    The schema of its arguments comes from the annotations, their descriptions from the docstring or from
    `Annotated[str, "text"]`. Arguments are checked and converted; what does not fit is told to the model, and so is
    the text of any exception. A parameter annotated `McpContext` takes the context of the call and is in no schema.

    Args:
        function: the method, when used without brackets.
        name: the name on the wire, if it is not the method's.
        description: for the model; by default the docstring's first paragraph.
        input_schema: a JSON Schema of an object, advertised as it stands, or the short form `{"order_id": "string"}`.
            Arguments are not checked against it.
        output_schema: a JSON Schema of the structured result. By default that of an annotated TypedDict, dataclass or
            pydantic model.
        title: a name for people.
        annotations: hints such as `{"readOnlyHint": True}`.
        icons: pictures for people, such as `{"src": "https://..."}`.
        meta: anything else, for clients that know it.
        task: for a tool that takes long, in an `McpAgent`: whether a call becomes a durable task. "optional": for
            clients that know tasks; "required": always, others are refused; "later": from where it calls
            `continue_as_task`.

    Raises:
        DefinitionError: the method is private, or is not a plain method.
    """
    given = {"name": name, "description": description, "input_schema": input_schema, "output_schema": output_schema}
    options = {**given, "title": title, "annotations": annotations, "icons": icons, "meta": meta, "task": task}
    if task not in (None, *TASK_SUPPORT):
        raise DefinitionError(f"@tool: task= is one of {', '.join(TASK_SUPPORT)}, not {task!r}")

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        if not isinstance(method, FunctionType):
            raise DefinitionError(
                f"@tool goes directly on a method, below any other decorator, not on a {type(method).__name__}"
            )
        if method.__name__.startswith("_") and name is None:
            raise DefinitionError(f"@tool on the private method {method.__qualname__}: give the tool a name=")
        Tool(method, options, is_method=True)  # refuses a wrong name here, where it stands
        vars(method)[_MARK] = options
        return method

    return mark if function is None else mark(function)


_tables: weakref.WeakKeyDictionary[type, Mapping[str, tuple[str, Tool]]] = weakref.WeakKeyDictionary()


def tools_of(cls: type) -> Mapping[str, tuple[str, Tool]]:
    """The tools of a class by their names on the wire, each with the attribute it is; the nearest class wins.

    Raises:
        DefinitionError: two methods have one name.
    """
    table = _tables.get(cls)
    if table is None:
        table = _tables[cls] = _build_table(cls)
    return table


def _build_table(cls: type) -> dict[str, tuple[str, Tool]]:
    table: dict[str, tuple[str, Tool]] = {}
    seen: set[str] = set()
    for base in cls.__mro__:
        for attribute, value in vars(base).items():
            if attribute in seen:
                continue
            seen.add(attribute)
            options = vars(value).get(_MARK) if isinstance(value, FunctionType) else None
            if options is None:
                continue
            made = Tool(cast("FunctionType", value), options, is_method=True)
            if made.name in table:
                raise DefinitionError(
                    f"{cls.__name__}.{attribute} and {cls.__name__}.{table[made.name][0]} are both the tool "
                    f"{made.name!r}: give one of them another name="
                )
            table[made.name] = (attribute, made)
    return dict(sorted(table.items()))


def get_tool_methods(obj: object) -> dict[str, Callable[..., Any]]:
    """List the `@tool` methods of any object: bound methods by tool name."""
    return {name: getattr(obj, attribute) for name, (attribute, _) in tools_of(type(obj)).items()}


async def call_tool(obj: object, name: str, arguments: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - the method's
    """Call a `@tool` method of any object by its tool name, sync or async, and return what it returns.

    The arguments are passed as keywords as they are. A method that takes an `McpContext` gets one that can neither
    report progress nor ask anybody.

    Raises:
        UsageError: the object has no tool of that name, with those it has; or an argument is missing or unknown.
    """
    table = tools_of(type(obj))
    if name not in table:
        known = ", ".join(table) or "none"
        raise UsageError(f"{type(obj).__name__} has no tool {name!r}; its tools are: {known}")
    attribute, found = table[name]
    given = dict(arguments or {})
    found.signature.check_names(given)
    if found.signature.context is not None:
        from agents_runtime.mcp.server.context import McpContext

        given[found.signature.context] = McpContext.alone()
    result: Any = getattr(obj, attribute)(**given)
    return await result if is_awaitable(result) else result


__all__ = ["Tool", "WrongArguments", "call_tool", "get_tool_methods", "tool", "tools_of"]
