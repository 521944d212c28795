"""What an agent adds to the params of a workflow: who started it. The keys are the JavaScript SDK's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

AGENT_NAME = "__agentName"
AGENT_BINDING = "__agentBinding"
WORKFLOW_NAME = "__workflowName"
ORIGIN = "__agentOrigin"
PLAIN = "__payload"
"""Where params that are no object are kept."""

VERSION = 1
_KEYS = frozenset((AGENT_NAME, AGENT_BINDING, WORKFLOW_NAME, ORIGIN, PLAIN))


Step = Mapping[str, str]
"""One agent of a path: its `className` and `name`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The agent that started a workflow.

    Attributes:
        binding: its binding; for a sub-agent that of its root.
        name: its name.
        path: the way to a sub-agent, its root first; empty for an agent that stands alone.
    """

    binding: str
    name: str
    path: Sequence[Step] = ()

    @property
    def root_name(self) -> str:
        """The name of the agent that the platform knows."""
        return self.path[0]["name"] if self.path else self.name


def with_origin(params: object, workflow_name: str, origin: Origin) -> dict[str, object]:
    """The params that the platform is given.

    Raises:
        UsageError: the params use a key of ours.
    """
    own: dict[str, object] = {}
    if isinstance(params, Mapping):
        own = dict(cast("Mapping[str, object]", params))
    elif params is not None:
        own = {PLAIN: params}
    taken = _KEYS & own.keys() if isinstance(params, Mapping) else ()
    if taken:
        raise UsageError(f"the params of a workflow cannot have the key {min(taken)!r}, which the library needs")
    return {
        **own,
        AGENT_NAME: origin.name,
        AGENT_BINDING: origin.binding,
        WORKFLOW_NAME: workflow_name,
        ORIGIN: _origin_json(origin),
    }


def split(payload: Mapping[str, Any]) -> tuple[Any, str | None, Origin | None]:
    """The params as the caller gave them, the binding of the workflow, and who started it.

    Raises:
        UsageError: the origin was written by a later version.
    """
    params: Any = {key: value for key, value in payload.items() if key not in _KEYS}
    if PLAIN in payload:
        params = payload[PLAIN]
    return params, payload.get(WORKFLOW_NAME), _origin_of(payload)


def _origin_json(origin: Origin) -> dict[str, Json]:
    if not origin.path:
        return {"kind": "agent", "version": VERSION, "binding": origin.binding, "name": origin.name}
    path: list[Json] = [dict(step) for step in origin.path]
    return {"kind": "facet", "version": VERSION, "rootBinding": origin.binding, "path": path}


def _origin_of(payload: Mapping[str, Any]) -> Origin | None:
    given = payload.get(ORIGIN)
    if given is None:  # started by an old version
        binding, name = payload.get(AGENT_BINDING), payload.get(AGENT_NAME)
        return Origin(str(binding), str(name)) if binding and name else None
    if given.get("version") != VERSION or given.get("kind") not in ("agent", "facet"):
        raise UsageError(f"this workflow was started by a later version of the library: {dict(given)!r}"[:300])
    if given["kind"] == "agent":
        return Origin(str(given["binding"]), str(given["name"]))
    path = [{"className": str(step["className"]), "name": str(step["name"])} for step in given["path"]]
    return Origin(str(given["rootBinding"]), path[-1]["name"], path)
