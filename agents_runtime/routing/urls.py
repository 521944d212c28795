"""The paths agents live under: taking them apart, putting them together. Pure text, no requests, no bindings.

`/agents/<binding in kebab-case>/<name>` addresses an agent, `/sub/<class>/<name>` pairs after it address its
sub-agents. A name is the path segment as it is sent: nothing here decodes it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents_runtime.errors import UsageError

DEFAULT_PREFIX = "agents"
SUB_PREFIX = "sub"
"""The path segment in front of a sub-agent's class; no name or prefix may be spelled like it."""

MAX_NAME_BYTES = 1024
"""The platform forgets longer names, so an object could not tell who it is."""

_CAPITAL = re.compile("[A-Z]")
_is_plain = re.compile(r"[A-Za-z0-9_~!$&'()*+,;=:@|\-]+").fullmatch
_DOTS = re.compile(r"(\.|%2e){1,2}", re.IGNORECASE)
_KEPT_IN_SEGMENT = "!$%&'()*+,-.:;=@[]_|~"
_KEPT_IN_COMPONENT = "!~*'()"
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

PathStep = tuple[str | type[object], str] | Mapping[str, str]
"""One agent of a path: `(class or its name, name)`, or the JSON form `{"className": ..., "name": ...}`."""


class AgentPath(NamedTuple):
    """A path under the prefix, taken apart."""

    agent: str
    """The segment that chooses the binding, such as `chat-room`."""
    name: str
    """The instance's name, as it stands in the path."""
    rest: tuple[str, ...]
    """The segments after the name."""


def camel_case_to_kebab_case(name: str) -> str:
    """Turn a class or binding name into its path segment: `ChatRoom` and `CHAT_ROOM` give `chat-room`.

    Every capital starts a word (`AIBot` gives `a-i-bot`), as the JS clients do it.
    """
    if name == name.upper() and name != name.lower():
        return name.lower().replace("_", "-")
    kebab = _CAPITAL.sub(lambda capital: "-" + capital[0].lower(), name).removeprefix("-")
    return kebab.replace("_", "-").removesuffix("-")


def parse_agent_path(url: str, *, prefix: str = DEFAULT_PREFIX) -> AgentPath | None:
    """Take a URL or a path apart; None when it is not `/<prefix>/<agent>/<name>`.

    Empty segments do not count. A prefix may have several segments and starts with no slash.
    """
    path = url.partition("?")[0].partition("#")[0]
    segments = [segment for segment in path.split("/") if segment]
    if "://" in path and path[0] != "/":
        del segments[:2]
    expected = _prefix_segments(prefix)
    start = len(expected)
    if len(segments) < start + 2 or segments[:start] != expected:
        return None
    return AgentPath(segments[start], segments[start + 1], tuple(segments[start + 2 :]))


@functools.lru_cache(maxsize=64)
def _prefix_segments(prefix: str) -> list[str]:
    return (prefix or DEFAULT_PREFIX).split("/")


def name_for(segment: str) -> str:
    """Return the name of the agent that a client reaches by writing `segment` into a URL.

    A URL carries blanks and non-ASCII letters percent-encoded and nothing decodes them, so a client's
    `name: "my room"` is the agent named `my%20room`: `get_agent_by_name(env.Chat, name_for("my room"))`.

    Raises:
        UsageError: no single path segment can carry the text.
    """
    if _is_plain(segment):
        return segment
    if not segment or any(mark in segment for mark in "/\\?#\0\t\r\n") or _DOTS.fullmatch(segment):
        raise UsageError(f"{segment[:80]!r} is not one path segment, so no URL reaches an agent of that name")
    return _encode(segment, _KEPT_IN_SEGMENT)


def name_problem(name: str) -> str | None:
    """Say why no agent may have this name; None when it may."""
    if not name:
        return "an agent's name must not be empty"
    if len(name) * 4 > MAX_NAME_BYTES:
        size_bytes = len(name.encode(errors="replace"))
        if size_bytes > MAX_NAME_BYTES:
            return f"an agent's name may have {MAX_NAME_BYTES} bytes, this one has {size_bytes}"
    if "\0" in name or "%00" in name:
        return "an agent's name must not contain NUL"
    if not name.isascii() and any("\ud800" <= char <= "\udfff" for char in name):
        return "an agent's name must be valid Unicode"
    return None


def build_agent_path(
    path: Sequence[PathStep],
    *,
    prefix: str = DEFAULT_PREFIX,
    leaf_path: str | None = None,
    root_binding: str | None = None,
) -> str:
    """Build the path of an agent, root first: `[("Chat", "lobby"), ("Thread", "t 1")]`.

    Args:
        path: the root agent, then each sub-agent on the way to the leaf.
        prefix: what the worker's `route_agent_request` was given.
        leaf_path: a path inside the leaf agent, such as `/messages`.
        root_binding: the root's binding, where it is not named like its class.

    Raises:
        UsageError: a part would not come out of the URL as it went in.
    """
    if not path:
        raise UsageError("the path of an agent needs at least its root: [(class, name)]")
    (root_class, root_name), *children = (_class_and_name(step) for step in path)
    segments = [_prefix(prefix), _class_segment(root_binding or root_class), _root_name(root_name)]
    for child_class, child_name in children:
        segments += [SUB_PREFIX, _class_segment(child_class), _child_name(child_name)]
    return "/" + "/".join(segments) + _leaf(leaf_path)


def build_agent_url(
    origin: str,
    path: Sequence[PathStep],
    *,
    prefix: str = DEFAULT_PREFIX,
    leaf_path: str | None = None,
    root_binding: str | None = None,
) -> str:
    """Build the URL of an agent below `origin`, which is scheme, host and port and nothing more.

    Raises:
        UsageError: `origin` is no http, https, ws or wss origin, or the path cannot be built.
    """
    return _origin(origin) + build_agent_path(path, prefix=prefix, leaf_path=leaf_path, root_binding=root_binding)


def _class_and_name(step: PathStep) -> tuple[str, str]:
    if isinstance(step, Mapping):
        if not {"className", "name"} <= step.keys():
            raise UsageError(f'a step of the path needs "className" and "name", got {sorted(step)}')
        return step["className"], step["name"]
    cls, name = step
    return (cls if isinstance(cls, str) else cls.__name__), name


def _encode(text: str, kept: str) -> str:
    from urllib.parse import quote

    try:
        return quote(text, safe=kept)
    except UnicodeEncodeError:
        raise UsageError(f"{text[:80]!a} is not valid Unicode, so no URL can carry it") from None


def _prefix(prefix: str) -> str:
    for segment in prefix.split("/"):
        if segment == SUB_PREFIX or not _is_stable_segment(segment):
            raise UsageError(f"prefix {prefix!r}: {segment!r} cannot be one of its path segments")
    return prefix


def _class_segment(name: str) -> str:
    segment = camel_case_to_kebab_case(name)
    if not segment or segment == SUB_PREFIX:
        raise UsageError(f"no path can name the class or binding {name!r}: its segment would be {segment!r}")
    return name_for(segment)


def _root_name(name: str) -> str:
    problem = name_problem(name)
    if problem:
        raise UsageError(problem)
    if name == SUB_PREFIX:
        raise UsageError(f"a root agent named {SUB_PREFIX!r} has no URL: that segment starts a sub-agent's path")
    if not _is_stable_segment(name):
        raise UsageError(
            f"the root name {name[:80]!r} would change in a URL: address the agent by `name_for(...)` of it everywhere"
        )
    return name


def _child_name(name: str) -> str:
    if name in {"", ".", ".."} or "\0" in name:
        raise UsageError(f"{name!r} cannot be the name of a sub-agent")
    return _encode(name, _KEPT_IN_COMPONENT)


def _leaf(leaf_path: str | None) -> str:
    if not leaf_path:
        return ""
    if leaf_path[0] != "/" or not all(_is_stable_segment(segment) for segment in leaf_path[1:].split("/")):
        raise UsageError(
            f"leaf_path {leaf_path[:80]!r} must be a plain path such as '/messages/1': no query, no fragment, "
            "no empty or dotted segment, no slash at the end, percent-encoded"
        )
    return leaf_path


def _is_stable_segment(segment: str) -> bool:
    """Whether a URL parser gives `segment` back unchanged and as one segment."""
    try:
        return name_for(segment) == segment
    except UsageError:
        return False


def _origin(origin: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise UsageError(f"{origin!r} is not an origin: {exc}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise UsageError(f"{origin!r} is not an origin: it must start with http, https, ws or wss and name a host")
    if "@" in parts.netloc:
        raise UsageError(f"the origin on {host} must not carry a user or password")
    if parts.path not in {"", "/"} or "?" in origin or "#" in origin:
        raise UsageError(f"{origin!r} must be only scheme, host and port: no path, query or fragment")
    if any(char.isspace() or char in "\\<>^|%" for char in origin):
        raise UsageError(f"{origin!r} is not an origin: its host is malformed")
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}" + (f":{port}" if port not in {None, _DEFAULT_PORTS[parts.scheme]} else "")
