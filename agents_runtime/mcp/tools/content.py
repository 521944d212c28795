"""Pieces of content that a tool or prompt may return besides text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object

Block: TypeAlias = "dict[str, Any]"
"""A piece of content as it is sent."""


class Content:
    """Base of the pieces. Each may have `annotations`, such as `{"audience": ["user"], "priority": 0.5}`."""

    __slots__ = ()

    agents_mcp_content: ClassVar = True
    annotations: Mapping[str, Any] | None

    def to_json(self) -> Block:
        """The piece as it is sent."""
        block = self.fields()
        if self.annotations is not None:
            block["annotations"] = dict(self.annotations)
        return block

    def fields(self) -> Block:
        """The piece without its annotations."""
        return {}


@dataclass(frozen=True, slots=True)
class Text(Content):
    """Some text. A plain `str` does as well, unless it needs annotations."""

    text: str
    annotations: Mapping[str, Any] | None = None

    def fields(self) -> Block:
        """The piece without its annotations."""
        return {"type": "text", "text": self.text}


@dataclass(frozen=True, slots=True)
class Image(Content):
    """A picture: its bytes and their media type."""

    data: bytes = field(repr=False)
    mime_type: str = "image/png"
    annotations: Mapping[str, Any] | None = None

    def fields(self) -> Block:
        """The piece without its annotations."""
        return {"type": "image", "data": encoded(self.data), "mimeType": self.mime_type}


@dataclass(frozen=True, slots=True)
class Audio(Content):
    """Some sound: its bytes and their media type."""

    data: bytes = field(repr=False)
    mime_type: str = "audio/wav"
    annotations: Mapping[str, Any] | None = None

    def fields(self) -> Block:
        """The piece without its annotations."""
        return {"type": "audio", "data": encoded(self.data), "mimeType": self.mime_type}


@dataclass(frozen=True, slots=True)
class Resource(Content):
    """A resource and what it holds, a text or bytes."""

    uri: str
    content: str | bytes = field(repr=False)
    mime_type: str | None = None
    annotations: Mapping[str, Any] | None = None

    def fields(self) -> Block:
        """The piece without its annotations."""
        return {"type": "resource", "resource": resource_contents(self.uri, self.content, self.mime_type)}


@dataclass(frozen=True, slots=True)
class ResourceLink(Content):
    """A resource that the client may read if it wants to."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    annotations: Mapping[str, Any] | None = None

    def fields(self) -> Block:
        """The piece without its annotations."""
        optional = {"title": self.title, "description": self.description, "mimeType": self.mime_type}
        given = {key: value for key, value in optional.items() if value is not None}
        return {"type": "resource_link", "uri": self.uri, "name": self.name, **given}


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def resource_contents(uri: str, content: str | bytes, mime_type: str | None) -> Block:
    """What a resource holds, as it is sent."""
    contents: Block = {"uri": uri}
    if mime_type is not None:
        contents["mimeType"] = mime_type
    if isinstance(content, str):
        contents["text"] = content
    else:
        contents["blob"] = encoded(content)
    return contents


def as_block(value: object) -> Block:
    """One piece of content: a text, one of the classes of this module, or a ready block with a `type`.

    Raises:
        UsageError: it is nothing of the kind.
    """
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if isinstance(value, Content):
        return value.to_json()
    if is_object(value) and isinstance(value.get("type"), str):
        return dict(value)
    raise UsageError(
        f"a {type(value).__name__} is no content: return a str, Image, Audio, Resource or ResourceLink, "
        'or a dict with a "type"'
    )
