"""Who an object inside an object is: its path from the root, and the text that stands for it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from urllib.parse import quote, unquote

PREFIX = "cf-agents:v2:"
VERSION = "path-v2"
"""How the registry of the JavaScript SDK calls this form."""

_KEPT = "!~*'()"
_SURROGATES = "surrogatepass"

Step = dict[str, str]
"""One object of a path: `{"className": ..., "name": ...}`, the root first."""

Path = Sequence[Step]


def make_step(class_name: str, name: str) -> Step:
    """One object of a path, in the order of keys that the digest is made of."""
    return {"className": class_name, "name": name}


def identity_of(path: Path) -> str:
    """The text that stands for the last object of a path: its name, and a digest of the whole path."""
    text = json.dumps(
        [make_step(step["className"], step["name"]) for step in path], separators=(",", ":"), ensure_ascii=False
    )
    digest = hashlib.sha256(text.encode("utf-8", _SURROGATES)).hexdigest()
    return f"{PREFIX}{_encoded(path[-1]['name'])}:{digest}"


def owner_key(path: Path) -> str:
    """The key of an object in tables of its root: each step percent-encoded, so that no name can imitate a path."""
    return "/".join(f"{_encoded(step['className'])}:{_encoded(step['name'])}" for step in path)


def facet_key(class_name: str, name: str) -> str:
    """What the platform keeps an object under in its parent."""
    return f"{class_name}\0{name}"


def _encoded(text: str) -> str:
    return quote(text, safe=_KEPT)


class ChildId:
    """Which object this is: the port's `ObjectId`, for an object inside an object."""

    __slots__ = ("hex", "name", "text")

    def __init__(self, text: str) -> None:
        encoded, _, self.hex = text.removeprefix(PREFIX).rpartition(":")
        self.text = text
        self.name: str | None = unquote(encoded)

    def toString(self) -> str:
        """The digest of its path: 64 hexadecimal digits."""
        return self.hex

    __str__ = toString
