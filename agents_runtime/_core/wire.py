"""Every frame of the JavaScript clients' protocol: its shape, its constant, and the text that is sent.

The one place that spells `cf_agent_*`. Key order means nothing to a client; it is kept as JavaScript sends it, so
that recorded transcripts compare byte for byte. Texts marked `_json` are JSON already and go into the frame as they
are, which lets a state be encoded once for the database and for every connection.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, cast

from agents_runtime._core.jsonx import Json, loads, quote, well_formed

IDENTITY = "cf_agent_identity"
STATE = "cf_agent_state"
STATE_ERROR = "cf_agent_state_error"
MCP_SERVERS = "cf_agent_mcp_servers"
APPROVAL = "cf_agent_approval"
RPC = "rpc"

READONLY = "Connection is readonly"
STATE_REJECTED = "State update rejected"
UNKNOWN_ERROR = "Unknown error occurred"

SETUP_FAILED_CODE = 1011
SETUP_FAILED = "Uncaught exception during session setup"
DESTROYED_CODE = 1001
DESTROYED = "Durable Object destroyed"
UNSUPPORTED_TRANSPORT_CODE = 4400
UNSUPPORTED_TRANSPORT = "The capnweb transport is not supported; use the default transport"
BAD_CONNECTION_CODE = 4400
"""Codes from 4000 to 4999 tell the JS clients not to connect again."""

TRANSPORT_PARAMETER = "__agents_transport"
DEFAULT_TRANSPORT = "cf-websocket"
CONNECTION_ID_PARAMETER = "_pk"


class IdentityFrame(TypedDict):
    """Server to client, first frame of a connection: which agent answers."""

    type: Literal["cf_agent_identity"]
    name: str
    agent: str
    stateFollows: NotRequired[Literal[True]]


class StateFrame(TypedDict):
    """Both ways: the whole state."""

    type: Literal["cf_agent_state"]
    state: Json


class StateErrorFrame(TypedDict):
    """Server to client: its state was not taken."""

    type: Literal["cf_agent_state_error"]
    error: str


class McpServersFrame(TypedDict):
    """Server to client: the MCP servers of the agent, and what they offer."""

    type: Literal["cf_agent_mcp_servers"]
    mcp: McpServerList


class McpServerList(TypedDict):
    """The payload of `McpServersFrame`."""

    prompts: list[Json]
    resources: list[Json]
    servers: dict[str, Json]
    tools: list[Json]


class ApprovalFrame(TypedDict):
    """Server to client: a request for approval, new or decided. JavaScript clients hand it to their `onMessage`."""

    type: Literal["cf_agent_approval"]
    approval: Json


class RpcRequestFrame(TypedDict):
    """Client to server: call a method."""

    type: Literal["rpc"]
    id: str
    method: str
    args: list[Json]


class RpcResultFrame(TypedDict):
    """Server to client: a result, a chunk of a stream (`done` false), or its end."""

    done: bool
    id: str
    result: NotRequired[Json]
    success: Literal[True]
    type: Literal["rpc"]


class RpcErrorFrame(TypedDict):
    """Server to client: the call or stream failed."""

    error: str
    id: str
    success: Literal[False]
    type: Literal["rpc"]


def decode(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, or None when the text is anything else."""
    if text[:1] != "{" and text.lstrip(" \t\n\r")[:1] != "{":
        return None
    try:
        frame = loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", frame)


def text_json(text: str) -> str:
    """`text` as a JSON string that can be sent."""
    quoted = quote(text)
    return quoted if quoted.isascii() else well_formed(quoted)


def identity(name: str, agent: str, *, state_follows: bool) -> str:
    """Make an identity frame; `state_follows` promises a state frame right behind it."""
    follows = ',"stateFollows":true' if state_follows else ""
    return f'{{"type":"cf_agent_identity","name":{text_json(name)},"agent":{text_json(agent)}{follows}}}'


def state_greeting(state_json: str) -> str:
    """Make the state frame of a new connection."""
    return f'{{"type":"cf_agent_state","state":{state_json}}}'


def state_update(state_json: str) -> str:
    """Make the state frame of a change."""
    return f'{{"state":{state_json},"type":"cf_agent_state"}}'


def state_error(error: str) -> str:
    """Make the answer to a state that was not taken."""
    return f'{{"type":"cf_agent_state_error","error":{text_json(error)}}}'


def mcp_servers(list_json: str) -> str:
    """Make the frame that lists MCP servers."""
    return f'{{"mcp":{list_json},"type":"cf_agent_mcp_servers"}}'


def approval(approval_json: str) -> str:
    """Make the frame of a request for approval."""
    return f'{{"type":"cf_agent_approval","approval":{approval_json}}}'


def rpc_result(call_id: str, result_json: str) -> str:
    """Make the answer to a call."""
    return f'{{"done":true,"id":{text_json(call_id)},"result":{result_json},"success":true,"type":"rpc"}}'


def rpc_chunk(call_id: str, chunk_json: str) -> str:
    """Make one chunk of a streamed answer."""
    return f'{{"done":false,"id":{text_json(call_id)},"result":{chunk_json},"success":true,"type":"rpc"}}'


def rpc_end(call_id: str) -> str:
    """Make the end of a streamed answer that has no final result."""
    return f'{{"done":true,"id":{text_json(call_id)},"success":true,"type":"rpc"}}'


def rpc_error(call_id: str, error: str) -> str:
    """Make the answer to a call that failed."""
    return f'{{"error":{text_json(error)},"id":{text_json(call_id)},"success":false,"type":"rpc"}}'
