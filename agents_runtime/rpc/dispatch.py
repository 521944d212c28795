"""From a decoded frame to a call: pure. What is no call by the letter of the protocol is an ordinary message."""

from __future__ import annotations

from typing import Any, NamedTuple


class RpcCall(NamedTuple):
    """A client's call."""

    id: str
    method: str
    args: list[Any]


def decode_call(frame: dict[str, Any]) -> RpcCall | None:
    """The call in an `rpc` frame, or None when a field is missing or of the wrong type. Other keys are ignored."""
    call_id = frame.get("id")
    method = frame.get("method")
    args = frame.get("args")
    if type(call_id) is str and type(method) is str and type(args) is list:
        return RpcCall(call_id, method, args)
    return None
