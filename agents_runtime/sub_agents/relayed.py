"""What tells an agent that something is for one of its children: a URL, or what is kept with a WebSocket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from agents_runtime._platform.child.identity import Path, Step
    from agents_runtime._platform.ports import Socket

SUB_MARK = "/sub/"
"""A URL without it leads to no sub-agent."""

_START = '{"sub":'


class Relayed(NamedTuple):
    """A child's WebSocket at the root."""

    id: str
    """What the child calls it."""
    path: list[Step]
    """The path from the root to the child."""


def is_relayed(socket: Socket) -> bool:
    """Whether a WebSocket belongs to a child."""
    return (socket.read_attachment() or "").startswith(_START)


def relayed(socket: Socket) -> Relayed | None:
    """Whose WebSocket it is; None when it is the agent's own."""
    if not is_relayed(socket):
        return None
    kept: dict[str, Any] = json.loads(socket.read_attachment() or "")["sub"]
    return Relayed(kept["id"], kept["path"])


def attachment(socket_id: str, path: Path) -> str:
    """What to keep with a child's WebSocket."""
    return json.dumps({"sub": {"id": socket_id, "path": list(path)}}, separators=(",", ":"), ensure_ascii=False)
