"""How a tool's arguments become those of its function: the schema that says what fits, and the check that it does."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, cast, get_args

from agents_runtime._core.typed import Converter, Mismatch, converter
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.tools.docstrings import parameters_of
from agents_runtime.mcp.tools.schema import (
    Annotation,
    Schema,
    default_of,
    described,
    given_schema,
    object_schema,
    pydantic_schemas,
    schema_of,
)

if TYPE_CHECKING:
    from types import FunctionType

CONTEXT_MARK = "agents_mcp_context"
"""An attribute of the classes whose parameters are given by the server and not by the caller."""

CONTEXT_NAME = "McpContext"
_PASSED_AS_IT_IS = frozenset({int, str, bool, list, dict})


class WrongArguments(UsageError):
    """Raised when a tool is called with arguments it does not take. The model reads the text."""

    code = "wrong_arguments"


class Signature:
    """The parameters of one tool.

    Attributes:
        schema: its input schema.
        context: the parameter that takes the `McpContext`, or None.
    """

    __slots__ = ("_checks", "_hints", "_names", "_required", "_takes_more", "_where", "context", "schema")

    def __init__(self, function: FunctionType, where: str, *, is_method: bool, given: object = None) -> None:
        self._where = where
        parameters = list(signature(function).parameters.values())[1 if is_method else 0 :]
        self._hints = _hints(function, where, is_needed=given is None)
        self.context = next((p.name for p in parameters if is_context(self._hints.get(p.name, p.annotation))), None)
        taken = [p for p in parameters if p.name != self.context and p.kind is not Parameter.VAR_KEYWORD]
        for parameter in taken:
            if parameter.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
                raise DefinitionError(f"{where}: a tool is called by keyword, so it cannot have {parameter}")
        self._takes_more = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
        self._names = frozenset(p.name for p in taken)
        self._required = [p.name for p in taken if p.default is Parameter.empty]
        self._checks: dict[str, tuple[type | None, Converter]] = {}
        if given is None:
            self.schema = self._derived(taken, parameters_of(function.__doc__))
        else:
            self.schema = given_schema(given, where)

    @property
    def count(self) -> int:
        """How many arguments it takes, besides the context."""
        return len(self._names)

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments to call with, without the context.

        Raises:
            WrongArguments: naming the argument that is missing, unknown or does not fit.
        """
        bound = dict(arguments)
        self.check_names(bound)
        for name, (exact, convert) in self._checks.items():
            if name in bound and type(value := bound[name]) is not exact:
                bound[name] = _converted(convert, value, name)
        return bound

    def check_names(self, arguments: Mapping[str, Any]) -> None:
        """Raise WrongArguments if an argument is missing, or one is there that the function does not take."""
        for name in self._required:
            if name not in arguments:
                raise WrongArguments(f"argument '{name}' is missing")
        if not self._takes_more and not arguments.keys() <= self._names:
            unknown = next(name for name in arguments if name not in self._names)
            known = ", ".join(sorted(self._names)) or "none"
            raise WrongArguments(f"there is no argument '{unknown[:80]}'; the arguments are: {known}")

    def _derived(self, taken: list[Parameter], descriptions: Mapping[str, str]) -> Schema:
        properties: Schema = {}
        asked: dict[str, Annotation] = {}
        for parameter in taken:
            annotation, text = described(self._hints.get(parameter.name, Any))
            schema = schema_of(annotation)
            if schema is None:
                asked[parameter.name] = annotation
                schema = {}
            if text := text or descriptions.get(parameter.name):
                schema["description"] = text
            if parameter.default is not Parameter.empty:
                schema.update(default_of(parameter.default))
            properties[parameter.name] = schema
            if (convert := converter(annotation)) is not None:
                self._checks[parameter.name] = (annotation if annotation in _PASSED_AS_IT_IS else None, convert)
        whole = object_schema(properties, self._required, is_closed=not self._takes_more)
        if asked:
            _complete(whole, asked, self._where)
        return whole


def output_schema(function: FunctionType, where: str) -> Schema | None:
    """The schema of what a function returns, if that is a TypedDict, a dataclass or a pydantic model."""
    annotation: Annotation = _hints(function, where, is_needed=False).get("return")
    if not isinstance(annotation, type):
        return None
    annotation = cast("Annotation", annotation)
    is_model = hasattr(annotation, "__pydantic_validator__")
    if not (typing.is_typeddict(annotation) or is_dataclass(annotation) or is_model):
        return None
    if getattr(annotation, "agents_mcp_content", False):
        return None
    schema = None if is_model else schema_of(annotation)
    if schema is None:
        found = pydantic_schemas({"": annotation}, "serialization")
        definitions = found["$defs"]
        schema = _dereferenced(found[""], definitions)
        if definitions:
            schema["$defs"] = definitions
    return schema if schema.get("type") == "object" else None


def is_context(annotation: Annotation) -> bool:
    """Whether a parameter with this annotation takes the context of the call."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2].partition("[")[0] == CONTEXT_NAME
    options = (annotation, *get_args(annotation))
    return any(isinstance(option, type) and hasattr(option, CONTEXT_MARK) for option in options)


def _complete(whole: Schema, asked: Mapping[str, Annotation], where: str) -> None:
    """Fill in what only pydantic can say about some properties."""
    try:
        found = pydantic_schemas(asked, "validation")
    except DefinitionError as error:
        raise DefinitionError(f"{where}: {error}") from error
    for name in asked:
        whole["properties"][name] = {**found[name], **whole["properties"][name]}
    if found["$defs"]:
        whole["$defs"] = found["$defs"]


def _dereferenced(schema: Schema, definitions: Schema) -> Schema:
    """The root of a schema that is only a reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**definitions[name]} if name in definitions else schema


def _converted(convert: Converter, value: object, name: str) -> object:
    try:
        return convert(value)
    except Mismatch as mismatch:
        raise WrongArguments(f"argument '{name}'{mismatch.path} {mismatch.problem}") from None


def _hints(function: FunctionType, where: str, *, is_needed: bool) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # an annotation may name anything, or nothing
        if not is_needed:
            return {}
        raise DefinitionError(
            f"{where}: its annotations cannot be read ({error}): import what they name outside of `if TYPE_CHECKING`, "
            "or give the tool an input_schema"
        ) from error
