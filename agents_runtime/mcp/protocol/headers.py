"""The HTTP headers that mirror a modern request, so that proxies can route without reading bodies.

Names and values of headers are looked up in mappings with lower-case keys. A header sent twice arrives joined with a
comma, and so matches nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.mcp.protocol.messages import McpError, Params
from agents_runtime.mcp.protocol.versions import (
    HEADER_MISMATCH,
    METHOD_HEADER,
    NAME_HEADER,
    PARAM_HEADER_PREFIX,
    VERSION_HEADER,
)

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

NAMED_BY: Mapping[str, str] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which parameter the name header mirrors, by method."""

ANNOTATION = "x-mcp-header"
"""The keyword of a JSON Schema property whose value is mirrored in a header of its own."""

_is_plain = re.compile(r"(?! )[\x20-\x7e]*(?<! )").fullmatch
_is_wrapped = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL).fullmatch
_is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_decimal = re.compile(r"(-?[0-9]{1,1000})(?:\.0+)?").fullmatch
_MIRRORED_TYPES = ("string", "integer", "boolean")

_ONE_SCHEMA = frozenset(
    (
        *("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties"),
        *("not", "if", "then", "else", "contentSchema"),
    )
)
_LISTED_SCHEMAS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED_SCHEMAS = frozenset(("patternProperties", "dependentSchemas", "$defs", "definitions"))


@dataclass(frozen=True, slots=True)
class MirroredParam:
    """A parameter that has a header of its own.

    Attributes:
        path: the chain of property names that leads to it.
        header: its header, as it is sent.
        kind: `string`, `integer` or `boolean`.
    """

    path: tuple[str, ...]
    header: str
    kind: str


def encode_value(text: str) -> str:
    """A text as a header value; wrapped in base64 when it would not survive as it is."""
    if _is_plain(text) and not _is_wrapped(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}?="


def decode_value(value: str) -> str | None:
    """The text behind a header value; None when it claims to be base64 and is not."""
    wrapped = _is_wrapped(value)
    if wrapped is None:
        return value
    try:
        raw = base64.b64decode(wrapped[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == wrapped[1] else None
    except (binascii.Error, ValueError):
        return None


def routing_headers(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a modern request, without those of mirrored parameters."""
    headers = {VERSION_HEADER: version, METHOD_HEADER: method}
    name = params.get(NAMED_BY.get(method, ""))
    if isinstance(name, str):
        headers[NAME_HEADER] = encode_value(name)
    return headers


def check_routing_headers(headers: Mapping[str, str], version: object, method: str, params: Mapping[str, Any]) -> None:
    """Compare the headers of a modern request with its body.

    Raises:
        McpError: HEADER_MISMATCH, naming the header.
    """
    found = headers.get(VERSION_HEADER)
    if found is None or found != version:
        raise _mismatch("MCP-Protocol-Version", "the version in _meta", found)
    found = headers.get(METHOD_HEADER)
    if found != method:
        raise _mismatch("Mcp-Method", "the method", found)
    field = NAMED_BY.get(method)
    if field is None:
        return
    name, found = params.get(field), headers.get(NAME_HEADER)
    if name is not None and (found is None or decode_value(found) != name):
        raise _mismatch("Mcp-Name", f"params.{field}", found)


def mirrored_params(schema: object) -> tuple[MirroredParam, ...]:
    """Which parameters of a tool have headers, by its input schema.

    Raises:
        ValueError: an annotation stands where it may not, or names no header; the text says which.
    """
    found: dict[str, MirroredParam] = {}
    for path, node in _schemas(schema):
        if ANNOTATION not in node:
            continue
        param = _mirrored(path, node)
        if (other := found.get(param.header.lower())) is not None:
            raise ValueError(f"{'.'.join(other.path)} and {'.'.join(param.path)} have the same {ANNOTATION}")
        found[param.header.lower()] = param
    return tuple(found.values())


def param_headers(mirrored: tuple[MirroredParam, ...], arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers that mirror these arguments. A missing or null argument has none."""
    values = {param.header: _shown(_at(arguments, param.path)) for param in mirrored}
    return {header: encode_value(value) for header, value in values.items() if value is not None}


def check_param_headers(
    mirrored: tuple[MirroredParam, ...], arguments: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    """Compare the headers of mirrored parameters with the arguments of a call.

    Raises:
        McpError: HEADER_MISMATCH, naming the header.
    """
    for param in mirrored:
        sent = headers.get(param.header.lower())
        value = _at(arguments, param.path)
        shown = _shown(value)
        if sent is None and shown is None:
            continue
        decoded = None if sent is None else decode_value(sent)
        if shown is None or decoded is None or not _agrees(param.kind, value, shown, decoded):
            raise _mismatch(param.header, f"the argument {'.'.join(param.path)}", sent)


def _mirrored(path: tuple[str, ...] | None, node: Params) -> MirroredParam:
    if not path:
        raise ValueError(f"{ANNOTATION} stands on something else than a property of an object")
    where, name, kind = ".".join(path), node[ANNOTATION], node.get("type")
    if not isinstance(name, str) or not _is_token(name):
        raise ValueError(f"{where}: {ANNOTATION} must be a name for a header")
    if kind not in _MIRRORED_TYPES:
        raise ValueError(f"{where}: {ANNOTATION} is for strings, integers and booleans")
    return MirroredParam(path, f"{PARAM_HEADER_PREFIX}{name}", cast("str", kind))


def _schemas(root: object) -> Iterator[tuple[tuple[str, ...] | None, Params]]:
    """Every schema inside a schema, with the chain of properties that leads there if nothing else does."""
    waiting: list[tuple[tuple[str, ...] | None, object]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        schema = cast("Params", node)
        yield path, schema
        for keyword, value in schema.items():
            if keyword == "properties" and isinstance(value, dict):
                properties = cast("Params", value)
                waiting.extend((None if path is None else (*path, name), part) for name, part in properties.items())
            elif keyword in _ONE_SCHEMA:
                waiting.append((None, value))
            elif keyword in _LISTED_SCHEMAS and isinstance(value, list):
                waiting.extend((None, part) for part in cast("list[object]", value))
            elif keyword in _NAMED_SCHEMAS and isinstance(value, dict):
                waiting.extend((None, part) for part in cast("Params", value).values())


def _at(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Json:
    node: Any = arguments
    for name in path:
        node = cast("Params", node).get(name) if isinstance(node, dict) else None
    return cast("Json", node)


def _shown(value: Json) -> str | None:
    """An argument as a header says it; None when it has no header."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    try:
        return str(value)
    except ValueError:  # a number with more digits than Python writes
        return None


def _agrees(kind: str, value: Json, shown: str, decoded: str) -> bool:
    if decoded == shown:
        return True
    decimal = _is_decimal(decoded)
    if kind != "integer" or decimal is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return int(decimal[1]) == value


def _mismatch(header: str, what: str, found: str | None) -> McpError:
    problem = "is missing" if found is None else "does not match"
    return McpError(HEADER_MISMATCH, f"Header mismatch: {header} {problem}; it must repeat {what}")
