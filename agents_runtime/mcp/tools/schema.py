"""JSON Schema from annotations: the standard types by hand, all others by pydantic, imported then and not before."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal, NewType, NotRequired, Required, TypeAlias, Union, cast, get_args, get_origin

from agents_runtime._core.jsonx import Json, plain
from agents_runtime.errors import DefinitionError, NotJson
from agents_runtime.mcp.protocol.messages import is_list

Schema: TypeAlias = "dict[str, Any]"
Annotation: TypeAlias = Any
"""Whatever may stand behind a colon; Python has no type for it."""

Mode = Literal["validation", "serialization"]

WORDS: Mapping[str, str] = {
    **{word: word for word in ("string", "number", "integer", "boolean", "array", "object", "null")},
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
"""The words of the short form of a schema."""

_SIMPLE: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    dict: {"type": "object"},
    None: {"type": "null"},
    type(None): {"type": "null"},
}
_ANYTHING: tuple[object, ...] = (Any, object, Json)


def given_schema(schema: object, where: str) -> Schema:
    """An input schema as it is advertised: a whole one as it is, a short one (`{"order_id": "string"}`) spelled out.

    In the short form every property is required unless its word ends in a question mark.

    Raises:
        DefinitionError: it is neither; the text names the property.
    """
    if not isinstance(schema, Mapping):
        raise DefinitionError(f"{where}: input_schema must be a mapping, not a {type(schema).__name__}")
    given = cast("Mapping[str, Any]", schema)
    if given.get("type") == "object":
        return dict(given)
    properties: Schema = {}
    required: list[str] = []
    for name, value in given.items():
        if isinstance(value, Mapping):
            properties[name] = dict(cast("Schema", value))
            required.append(name)
            continue
        word = value.removesuffix("?") if isinstance(value, str) else ""
        if word not in WORDS:
            raise DefinitionError(
                f'{where}: input_schema is a JSON Schema with "type": "object", or names with a word each: '
                f"{name!r} cannot be {value!r}; the words are {', '.join(WORDS)}"
            )
        properties[name] = {"type": WORDS[word]}
        if word == value:
            required.append(name)
    return object_schema(properties, required)


def object_schema(properties: Schema, required: list[str], *, is_closed: bool = False) -> Schema:
    """The schema of an object."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if is_closed:
        schema["additionalProperties"] = False
    return schema


def schema_of(annotation: Annotation, above: tuple[type, ...] = ()) -> Schema | None:
    """The schema of an annotation, or None where pydantic must be asked.

    Args:
        annotation: a resolved annotation.
        above: the classes inside of which it stands.
    """
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) or annotation is None else None
    if simple is not None:
        return dict(simple)
    if annotation in _ANYTHING:
        return {}
    if isinstance(annotation, NewType):
        return schema_of(annotation.__supertype__, above)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is not None:
        return _generic(origin, args, above)
    if not isinstance(annotation, type) or annotation in above:
        return None
    if typing.is_typeddict(annotation):
        return _typed_dict(annotation, above)
    if is_dataclass(annotation) and not hasattr(annotation, "__pydantic_validator__"):
        return _dataclass(annotation, above)
    return None


def described(annotation: Annotation) -> tuple[Annotation, str | None]:
    """What an `Annotated[..., "text"]` is of, and its text. Any other metadata is pydantic's and stays."""
    origin: Annotation = get_origin(annotation)
    if origin is not Annotated:
        return annotation, None
    inner, *metadata = get_args(annotation)
    if all(isinstance(item, str) for item in metadata):
        return inner, " ".join(metadata)
    return annotation, None


def pydantic_schemas(annotations: Mapping[str, Annotation], mode: Mode) -> Schema:
    """The schemas of annotations that need pydantic, by name, and under `$defs` what they refer to."""
    from pydantic import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, TypeAdapter

    try:
        adapters: list[tuple[str, Mode, Any]] = [(name, mode, TypeAdapter(what)) for name, what in annotations.items()]
        found, common = TypeAdapter.json_schemas(adapters, ref_template="#/$defs/{model}")
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError) as error:
        raise DefinitionError(f"no JSON Schema can be made of its annotations: {error}") from error
    schemas: Schema = {name: _untitled(schema) for (name, _), schema in found.items()}
    return {**schemas, "$defs": _untitled(common.get("$defs", {}))}


def default_of(value: object) -> Schema:
    """The `default` of a property; nothing where JSON has no form for it."""
    try:
        return {"default": plain(value)}
    except NotJson:
        return {}


def _generic(origin: Annotation, args: tuple[Any, ...], above: tuple[type, ...]) -> Schema | None:
    if origin is list:
        items = schema_of(args[0], above)
        return None if items is None else {"type": "array", **({"items": items} if items else {})}
    if origin in (dict, Mapping) and args[0] in (str, Any):
        values = schema_of(args[1], above)
        return None if values is None else {"type": "object", **({"additionalProperties": values} if values else {})}
    if origin is Union or origin is types.UnionType:
        members = [schema_of(arg, above) for arg in args]
        return None if None in members else {"anyOf": members}
    if origin is Literal:
        words = [_SIMPLE.get(cast("object", type(choice)), {}) for choice in args]
        return {"enum": list(args), **(words[0] if all(word == words[0] for word in words) else {})}
    if origin in (Required, NotRequired):
        return schema_of(args[0], above)
    if origin is Annotated and all(isinstance(item, str) for item in args[1:]):
        inner = schema_of(args[0], above)
        return None if inner is None else {**inner, "description": " ".join(args[1:])}
    return None


def _typed_dict(cls: Any, above: tuple[type, ...]) -> Schema | None:  # noqa: ANN401 - a TypedDict class has no type of its own
    hints = typing.get_type_hints(cls, include_extras=True)
    declared: frozenset[str] = cls.__required_keys__
    required = [
        key
        for key, hint in hints.items()
        # Under postponed annotations the class itself cannot see `NotRequired`.
        if get_origin(hint) is not NotRequired and (key in declared or get_origin(hint) is Required)
    ]
    return _shape(hints, required, {}, (*above, cls))


def _dataclass(cls: Any, above: tuple[type, ...]) -> Schema | None:  # noqa: ANN401 - any dataclass
    hints = typing.get_type_hints(cls, include_extras=True)
    taken = [field for field in fields(cls) if field.init]
    required = [field.name for field in taken if field.default is MISSING and field.default_factory is MISSING]
    defaults = {field.name: field.default for field in taken if field.default is not MISSING}
    return _shape({field.name: hints[field.name] for field in taken}, required, defaults, (*above, cls))


def _shape(
    hints: Mapping[str, Annotation], required: list[str], defaults: Mapping[str, object], above: tuple[type, ...]
) -> Schema | None:
    properties: Schema = {}
    for name, hint in hints.items():
        schema = schema_of(hint, above)
        if schema is None:
            return None
        properties[name] = {**schema, **default_of(defaults[name])} if name in defaults else schema
    return object_schema(properties, required, is_closed=True)


def _untitled(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A schema without the titles that pydantic makes up."""
    if is_list(node):
        return [_untitled(part) for part in node]
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    kept: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "patternProperties") and isinstance(value, dict):
            kept[key] = {name: _untitled(part) for name, part in cast("Schema", value).items()}
        elif key in ("default", "const", "enum", "examples"):
            kept[key] = value
        elif key != "title":
            kept[key] = _untitled(value)
    return kept
