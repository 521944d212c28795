"""From what a tool returns to the result of a call.

A mapping with `content` that may be a result goes as it is; one with a field of that name among others is a value like
any other. A text, bytes and the pieces of `content` become content. Any other JSON value
becomes its JSON as text, for the model, and the value itself as `structuredContent`, for the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime.mcp.protocol.messages import is_list, is_object
from agents_runtime.mcp.protocol.results import TYPES
from agents_runtime.mcp.tools.content import Content, as_block, encoded

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params

FIELDS = frozenset(("content", "structuredContent", "isError", "_meta", "resultType"))
"""What a result has."""

BINARY_URI = "data:application/octet-stream"


def call_result(value: object) -> Params:
    """The result of a tool that returned `value`.

    Raises:
        NotJson: JSON has no form for it.
    """
    if type(value) is str:
        return {"content": [{"type": "text", "text": value}]}
    if value is None:
        return {"content": []}
    if is_object(value) and "content" in value and _is_ready(value):
        return ready_result(value)
    if isinstance(value, bytes):
        return {"content": [{"type": "resource", "resource": {"uri": BINARY_URI, "blob": encoded(value)}}]}
    if isinstance(value, str | Content):
        return {"content": [as_block(value)]}
    if is_list(value) and any(isinstance(item, Content) for item in value):
        return {"content": [as_block(item) for item in value]}
    return structured_result(value)


def has_result_type(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a result that says of which type it is."""
    return value.get("resultType") in TYPES


def _is_ready(value: Mapping[str, Any]) -> bool:
    """Whether a mapping with `content` is a result, and not some value of the user with such a field."""
    content = value["content"]
    return value.keys() <= FIELDS or (is_list(content) and bool(content) and all(_is_piece(item) for item in content))


def _is_piece(item: object) -> bool:
    return isinstance(item, Content) or (is_object(item) and isinstance(item.get("type"), str))


def structured_result(value: object) -> Params:
    """A value as text and as itself."""
    text = dumps(value, "the tool's result")
    is_plain = type(value) is int or type(value) is bool
    return {"content": [{"type": "text", "text": text}], "structuredContent": value if is_plain else loads(text)}


def ready_result(value: Mapping[str, Any]) -> Params:
    """A result that the tool made itself; its pieces of content may be those of the module `content`."""
    result = dict(value)
    content = result["content"]
    result["content"] = [as_block(item) for item in (content if is_list(content) else [content])]
    return result


def error_result(text: str) -> Params:
    """The result of a call that failed: the model reads the text and may try again."""
    return {"content": [{"type": "text", "text": text}], "isError": True}
