"""Who this agent is and what it was given: its name and its start props, kept in its own storage.

The platform tells the name and may forget it. Props come with a request, and a later wake has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json, dumps, loads
from agents_runtime.errors import NotNamed

if TYPE_CHECKING:
    from agents_runtime._platform.ports import KeyValue, ObjectId

NAME_KEY = "__ps_name"
"""Where the JavaScript SDK looks for the name as well."""

PROPS_KEY = "cf_agents:start_props"


class Identity:
    """The name of one agent."""

    def __init__(self, object_id: ObjectId, kv: KeyValue) -> None:
        self._id = object_id
        self._kv = kv
        self._name: str | None = None

    @property
    def name(self) -> str:
        """The name the agent was addressed by.

        Raises:
            NotNamed: it was addressed by a unique id.
        """
        if self._name is None:
            self._name = self._id.name
        if self._name is None:
            self._name = self._kv.get(NAME_KEY)
        if self._name is None:
            raise NotNamed(self._id.hex)
        return self._name

    def remember(self) -> None:
        """Keep the name in storage, once. Raises NotNamed like `name`."""
        name = self.name
        if self._kv.get(NAME_KEY) is None:
            self._kv.put(NAME_KEY, name)


class StartProps:
    """The props of one agent."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def keep(self, props: Json) -> None:
        """Make `props` those of every start from now on. None leaves them as they are."""
        if props is None:
            return
        text = dumps(props, "props")
        if self._kv.get(PROPS_KEY) != text:
            self._kv.put(PROPS_KEY, text)

    def last(self) -> Json:
        """The props given last, or None."""
        text = self._kv.get(PROPS_KEY)
        return None if text is None else loads(text)
