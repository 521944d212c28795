"""The part of a URL that leads into a child: `/sub/<class>/<name>`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from agents_runtime.routing.urls import SUB_PREFIX, camel_case_to_kebab_case


class SubAgentRoute(NamedTuple):
    """Which sub-agent a request is about to reach."""

    class_name: str
    """The name of its class."""
    name: str
    """Its name, decoded."""


class Hop(NamedTuple):
    """The first child that a URL leads to, and the URL as that child sees it."""

    class_name: str
    name: str
    url: str


def segments_of(classes: Iterable[str]) -> dict[str, str]:
    """Class names by their form in a URL. A class whose form is `sub` has none."""
    found: dict[str, str] = {}
    for name in sorted(classes):
        segment = camel_case_to_kebab_case(name)
        if segment and segment != SUB_PREFIX:
            found.setdefault(segment, name)
    return found


def find_hop(url: str, segments: Mapping[str, str]) -> Hop | None:
    """The first `/sub/<class>/<name>` of a URL whose class is known; None when there is none.

    A name that cannot be decoded does not count, nor does a `sub` in front of anything else.
    """
    address, mark, query = url.partition("#")[0].partition("?")
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    parts = path.split("/")
    for index in range(len(parts) - 2):
        if parts[index] != SUB_PREFIX:
            continue
        class_name, name = segments.get(parts[index + 1]), _decoded(parts[index + 2])
        if class_name is not None and name:
            remaining = "/".join(parts[index + 3 :])
            return Hop(class_name, name, f"{scheme}://{host}/{remaining}{mark}{query}")
    return None


def closing_of(status: int) -> tuple[int, str]:
    """With what code and reason a WebSocket closes in place of an answer with this status."""
    return 4000 + status if 400 <= status < 500 else 1011, f"Sub-agent connection rejected ({status})"


def _decoded(segment: str) -> str | None:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return None
