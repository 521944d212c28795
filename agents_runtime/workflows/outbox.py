"""What an agent still owes: starts that the platform has not confirmed, and ends that its hooks have not been told.

Each is a value in the agent's own storage, written in the commit that promises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents_runtime._platform.ports import KeyValue

START = "cf_agents:workflow_start:"
REPORT = "cf_agents:workflow_report:"


class Outbox:
    """The values of one kind, by the id of their workflow."""

    def __init__(self, kv: KeyValue, prefix: str) -> None:
        self._kv = kv
        self._prefix = prefix

    def put(self, workflow_id: str, value: Mapping[str, Any]) -> None:
        """Owe something."""
        self._kv.put(self._prefix + workflow_id, dumps(value, "params"))

    def get(self, workflow_id: str) -> dict[str, Any] | None:
        """What is owed for a workflow."""
        text = self._kv.get(self._prefix + workflow_id)
        return None if text is None else cast("dict[str, Any]", loads(text))

    def done(self, workflow_id: str) -> None:
        """Owe it no more."""
        self._kv.delete(self._prefix + workflow_id)

    def ids(self) -> list[str]:
        """The workflows for which something is owed."""
        return [key.removeprefix(self._prefix) for key in self._kv.keys(self._prefix)]
