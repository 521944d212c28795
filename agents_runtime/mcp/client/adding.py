"""What `add_mcp_server` may be given, in all its forms, as one row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agents_runtime._core.ids import nanoid
from agents_runtime._core.jsonx import plain
from agents_runtime._core.retry import resolve_retry
from agents_runtime._core.spelling import did_you_mean, snake_case
from agents_runtime.errors import UsageError
from agents_runtime.mcp.client.policy import CONNECT_RETRY
from agents_runtime.mcp.client.store import ServerRow
from agents_runtime.mcp.client.transports import RPC, TYPES
from agents_runtime.mcp.client.urls import check_server_url

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace
    from agents_runtime.mcp.protocol.messages import Params

ID_CHARS = 8
MAX_ID_CHARS = 64
MAX_NAME_CHARS = 256
MAX_LISTEN_S = 86_400

FIELDS = (
    "id",
    "callback_host",
    "callback_path",
    "agents_prefix",
    "client",
    "transport",
    "retry",
    "props",
    "headers",
    "listen_seconds",
)
_TRANSPORT_FIELDS = ("type", "headers", "skip_issuer_metadata_validation")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server that is to be added.

    Attributes:
        callback_host: the origin that people come back to; None: that of the request being handled.
        callback_path: the path there; None: the agent's own.
    """

    name: str
    url: str
    id: str | None
    callback_host: str | None
    callback_path: str | None
    agents_prefix: str
    options: Params


def read_wanted(
    given: tuple[object, ...], keywords: Mapping[str, object], binding_of: Callable[[object], str | None]
) -> Wanted:
    """Read the arguments of `add_mcp_server`.

    Args:
        binding_of: the name of a Durable Object binding, None for anything else.

    Raises:
        UsageError: naming what is wrong.
    """
    first, *others = given or (None,)
    fields = {snake_case(name): value for name, value in keywords.items()}
    if isinstance(first, Mapping):
        if others:
            raise UsageError("add_mcp_server takes a dict, or a name and a URL")
        folded = {snake_case(str(name)): value for name, value in cast("Mapping[object, object]", first).items()}
        fields = {**folded, **fields}
        name, target = fields.pop("name", None), fields.pop("url", None) or fields.pop("namespace", None)
    else:
        name = first
        target = others[0] if others else fields.pop("url", None)
        fields.update(_positional(others[1:]))
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_CHARS:
        raise UsageError('add_mcp_server takes a name and a URL: add_mcp_server("docs", "https://example.com/mcp")')
    unknown = next((field for field in fields if field not in FIELDS), None)
    if unknown is not None:
        raise UsageError(f"add_mcp_server has no option {unknown!r}{did_you_mean(unknown, FIELDS)}")
    binding = None if isinstance(target, str) else binding_of(target)
    if binding is None and not isinstance(target, str):
        raise UsageError("the second argument of add_mcp_server is a URL or a Durable Object binding of this worker")
    return _wanted(name.strip(), target, binding, fields)


def _positional(values: list[object]) -> dict[str, object]:
    """The older form: `(name, url, callback_host, agents_prefix, options)`. The third may be the options already."""
    if values and isinstance(values[0], Mapping):
        values = [None, None, values[0]]
    if len(values) > 3 or (len(values) == 3 and not isinstance(values[2], Mapping | None)):
        raise UsageError("add_mcp_server takes (name, url, callback_host, agents_prefix, options) at most")
    host, prefix, options = (*values, None, None, None)[:3]
    fields = {snake_case(str(name)): value for name, value in cast("Mapping[object, object]", options or {}).items()}
    if host is not None:
        fields["callback_host"] = host
    if prefix is not None:
        fields["agents_prefix"] = prefix
    return fields


def _wanted(name: str, target: object, binding: str | None, fields: dict[str, object]) -> Wanted:
    for field in ("id", "callback_host", "callback_path", "agents_prefix"):
        if not isinstance(fields.get(field), str | None):
            raise UsageError(f"{field} of an MCP server is a text, not {fields[field]!r}"[:200])
    options: Params = {}
    if binding is None:
        url = check_server_url(cast("str", target))
        transport = _transport(fields)
        if transport:
            options["transport"] = transport
        if fields.get("props") is not None:
            raise UsageError("props are for the servers that are Durable Object bindings; a URL takes headers")
    else:
        url = RPC + name.lower()
        options["bindingName"] = binding
        if fields.get("props") is not None:
            options["props"] = plain(fields["props"], "props")
    if fields.get("client") is not None:
        options["client"] = _client(fields["client"])
    if fields.get("retry") is not None:
        policy = resolve_retry(cast("Params", fields["retry"]), CONNECT_RETRY)
        options["retry"] = {
            "maxAttempts": policy.max_attempts,
            "baseDelayMs": policy.base_delay_ms,
            "maxDelayMs": policy.max_delay_ms,
        }
    if fields.get("listen_seconds") is not None:
        options["listenSeconds"] = _seconds(fields["listen_seconds"])
    return Wanted(
        name,
        url,
        None if fields.get("id") is None else normalized_id(cast("str", fields["id"])),
        cast("str | None", fields.get("callback_host")),
        cast("str | None", fields.get("callback_path")),
        cast("str", fields.get("agents_prefix") or "agents"),
        options,
    )


def _seconds(seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_LISTEN_S:
        raise UsageError(f"listen_seconds is a number from 0 to {MAX_LISTEN_S:,}, not {seconds!r}"[:200])
    return seconds


def _transport(fields: Mapping[str, object]) -> Params:
    given = fields.get("transport")
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, Mapping | None):
        raise UsageError(f"transport is {', '.join(map(repr, TYPES))} or a dict, not {given!r}"[:200])
    chosen = {snake_case(str(name)): value for name, value in cast("Mapping[object, object]", given or {}).items()}
    unknown = next((field for field in chosen if field not in _TRANSPORT_FIELDS), None)
    if unknown is not None:
        raise UsageError(f"transport has no option {unknown!r}{did_you_mean(unknown, _TRANSPORT_FIELDS)}")
    kind = chosen.get("type")
    if kind is not None and kind not in TYPES:
        raise UsageError(f"transport is one of {', '.join(map(repr, TYPES))}, not {kind!r}"[:200])
    found: Params = {} if kind is None else {"type": "streamable-http" if kind == "http" else kind}
    headers = fields.get("headers") or chosen.get("headers")
    if headers is not None:
        found["headers"] = _headers(headers)
    if chosen.get("skip_issuer_metadata_validation"):
        found["skipIssuerMetadataValidation"] = True
    return found


def _headers(headers: object) -> dict[str, str]:
    pairs = cast("Mapping[object, object]", headers).items() if isinstance(headers, Mapping) else ()
    found = {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
    if not isinstance(headers, Mapping) or len(found) != len(pairs):
        raise UsageError("headers of an MCP server are a dict of texts")
    for name, value in found.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or any(char in value for char in "\r\n\0"):
            raise UsageError(f"{name!r} is no header that can be sent"[:200])
    return found


def _client(client: object) -> Params:
    found = plain(client, "client")
    if not isinstance(found, dict):
        raise UsageError('client is a dict, such as {"supportedProtocolVersions": [...]}')
    names = {"supported_protocol_versions": "supportedProtocolVersions", "list_max_pages": "listMaxPages"}
    return {names.get(name, name): value for name, value in found.items()}


def normalized_id(text: str) -> str:
    """An id as it may be used in states and keys."""
    found = re.sub(r"[^a-z0-9_-]", "-", text.lower()).strip("-")
    if not found:
        raise UsageError(f"the id {text!r} of an MCP server has no letter and no digit"[:200])
    return (found if found[0].isalpha() else f"id-{found}")[:MAX_ID_CHARS]


def new_id(random_bytes: Callable[[int], bytes]) -> str:
    """A random id."""
    return nanoid(random_bytes, ID_CHARS)


def binding_name(namespaces: Mapping[str, Namespace], target: object) -> str | None:
    """Under which name a worker has a binding."""
    return next((name for name, namespace in namespaces.items() if namespace is target or namespace == target), None)


def row_of(wanted: Wanted, server_id: str, callback_url: str) -> ServerRow:
    """The row of a new server."""
    return ServerRow(server_id, wanted.name, wanted.url, callback_url, options=wanted.options)
