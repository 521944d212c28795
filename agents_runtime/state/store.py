"""The state of one agent: its row, its value in memory, and what happens on each change.

The row is the truth: it is written first, memory follows, then everyone is told. What is in memory is read back from
the very text that was stored, so that an agent sees the same state before and after it slept.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agents_runtime._core import wire
from agents_runtime._core.capability import DONE, Capability, FrameHandler
from agents_runtime._core.jsonx import Json, dumps, loads, size_bytes
from agents_runtime.context import CURRENT
from agents_runtime.errors import ReadonlyConnection, SocketClosed, SqlError, StateTooLarge

if TYPE_CHECKING:
    from agents_runtime._core.peer import Peer
    from agents_runtime._platform.ports import KeyValue, SqlStore
    from agents_runtime.state.codec import StateCodec

logger = logging.getLogger("agents_runtime")

MAX_STATE_BYTES = 2_000_000
"""What the platform documents as the largest value of a row."""

LARGE_STATE_BYTES = (256 * 1024, 1024 * 1024)
"""Sizes beyond which a warning is logged, once each: every change is sent whole to every client."""

VERSION_KEY = "cf_agents:state_schema_version"
VERSION = 1
_CREATE = "CREATE TABLE IF NOT EXISTS cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT)"
_DROP_LEGACY = "DELETE FROM cf_agents_state WHERE id = 'cf_state_was_changed'"
_READ = "SELECT state FROM cf_agents_state WHERE id = 'cf_state_row_id'"
_WRITE = "INSERT OR REPLACE INTO cf_agents_state (id, state) VALUES ('cf_state_row_id', ?)"
_DELETE = "DELETE FROM cf_agents_state WHERE id = 'cf_state_row_id'"

DENIED = "State updates from clients are not allowed"

Source = Literal["server"]


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()
"""Stands for a state that was never set, since None is a state."""

_STALE = object()


class Publish(Protocol):
    """Sends a frame to everyone who takes such frames."""

    def __call__(self, frame: str, without: Peer | None = None, /) -> None:
        """Send `frame` to all but one."""
        ...


@dataclass(frozen=True, slots=True)
class StateHooks:
    """What the user says about a change; None where the class says nothing.

    Attributes:
        initial: the state of an agent that has none yet, or UNSET.
        validate: called with the next state and its source; raises to refuse it.
        changed: called with the new state and its source, once it is stored and sent.
    """

    initial: Callable[[], object]
    validate: Callable[[Any, Any], object] | None = None
    changed: Callable[[Any, Any], object] | None = None


class StateStore(Capability):
    """The state of one agent."""

    def __init__(
        self,
        owner: object,
        sql: SqlStore,
        kv: KeyValue,
        codec: StateCodec,
        hooks: StateHooks,
        publish: Publish,
        emit: Callable[[str, Mapping[str, Json]], None],
        *,
        accepts_client_writes: bool = True,
    ) -> None:
        self._owner = owner
        self._sql = sql
        self._kv = kv
        self._codec = codec
        self._hooks = hooks
        self._publish = publish
        self._emit = emit
        self._accepts_client_writes = accepts_client_writes
        self._is_loaded = False
        self._text: str | None = None
        self._value: Any = _STALE
        self._warned_bytes = 0

    # Reading

    def get(self) -> Any:  # noqa: ANN401 - the user's state type
        """The state; None when none was ever set."""
        if self._value is _STALE:
            text = self.text()
            self._value = None if text is None else self._codec.from_storage(loads(text))
        return self._value

    def text(self) -> str | None:
        """The state as JSON text; None when none was ever set. Seeds the initial state on first use."""
        if not self._is_loaded:
            self._load()
        return self._text

    def json(self) -> Json:
        """A copy of the state as JSON; None when none was ever set."""
        text = self.text()
        return None if text is None else loads(text)

    def greeting(self) -> tuple[str, ...]:
        """The state frame for a new connection, if there is a state."""
        text = self.text()
        return () if text is None else (wire.state_greeting(text),)

    def _load(self) -> None:
        text = self._read_row()
        if text is not None:
            try:
                value = loads(text)
            except ValueError as error:
                self._discard_row(error)
            else:
                self._is_loaded, self._text = True, text
                self._value = value if self._codec.is_plain else _STALE
                return
        self._is_loaded, self._text, self._value = True, None, _STALE
        initial = self._hooks.initial()
        if initial is UNSET:
            return
        try:
            self._replace(initial, "server")
        except BaseException:
            self._is_loaded = False
            raise

    def _read_row(self) -> str | None:
        try:
            rows = self._sql.execute(_READ)
        except Exception as error:
            if "no such table" in str(error):
                return None
            raise SqlError(_READ, error) from error
        if not rows:
            return None
        text = rows[0]["state"]
        return "null" if text is None else str(text)

    def _discard_row(self, error: ValueError) -> None:
        has_initial = self._hooks.initial() is not UNSET
        remedy = "it is replaced by the initial state" if has_initial else "it is deleted"
        logger.error("the stored state of %r is not JSON (%s); %s", self._owner, error, remedy)
        if not has_initial:
            self._execute(_DELETE)

    # Writing

    def set(self, state: object) -> None:
        """Replace the state for the agent's own code.

        Raises:
            ReadonlyConnection: the code runs for a connection that may not change the state.
            NotJson: naming the part that is no JSON.
            StateTooLarge: the JSON has too many bytes.
            Exception: what the validator raised. The old state stays in each case.
        """
        scope = CURRENT.get()
        if scope.agent is self._owner and scope.connection is not None and scope.connection.is_readonly:
            raise ReadonlyConnection
        try:
            self._replace(state, "server")
        except BaseException:
            # The refused state may be the one in memory, changed in place.
            self._value = _STALE
            raise

    def set_json(self, value: Json) -> None:
        """Replace the state by JSON that comes from elsewhere."""
        self._replace(self._codec.from_client(value), "server")

    def reset(self) -> None:
        """Let the state be the initial one, or none where the class has none."""
        initial = self._hooks.initial()
        self._replace(None if initial is UNSET else initial, "server")

    def _replace(self, state: object, source: Peer | Source) -> None:
        if self._hooks.validate is not None:
            self._hooks.validate(state, source)
        text = dumps(state, "state")
        if len(text) * 4 > LARGE_STATE_BYTES[0]:
            self._check_size(size_bytes(text))
        self._write(text)
        self._is_loaded, self._text, self._value = True, text, _STALE
        self._publish(wire.state_update(text), None if source == "server" else source)
        self._emit("state:update", {})
        if self._hooks.changed is not None:
            self._hooks.changed(self.get(), source)

    def _write(self, text: str) -> None:
        try:
            self._sql.execute(_WRITE, text)
        except Exception as error:
            if "no such table" not in str(error):
                raise SqlError(_WRITE, error) from error
            self._execute(_CREATE)
            self._execute(_WRITE, text)
            self._kv.put(VERSION_KEY, VERSION)

    def _execute(self, statement: str, *params: str) -> None:
        try:
            self._sql.execute(statement, *params)
        except Exception as error:
            raise SqlError(statement, error) from error

    def _check_size(self, size: int) -> None:
        if size > MAX_STATE_BYTES:
            raise StateTooLarge(size, MAX_STATE_BYTES)
        passed = max((limit for limit in LARGE_STATE_BYTES if size > limit), default=0)
        if passed > self._warned_bytes:
            self._warned_bytes = passed
            logger.warning(
                "the state of %r has %s bytes of JSON, and all of them go to every client on each change; "
                "keep what grows in tables (limit: %s bytes)",
                self._owner,
                f"{size:,}",
                f"{MAX_STATE_BYTES:,}",
            )

    # Clients

    def frames(self) -> Mapping[str, FrameHandler]:
        """Handle `cf_agent_state`."""
        return {wire.STATE: self.on_frame}

    def on_frame(self, peer: Peer, frame: dict[str, Any]) -> Awaitable[None] | None:
        """Take the state a client wrote, or tell it why not and what the state is."""
        if "state" not in frame:
            return None
        if peer.is_readonly:
            self._refuse(peer, wire.READONLY)
        elif not self._accepts_client_writes:
            self._refuse(peer, DENIED)
        else:
            self._take(peer, frame["state"])
        return DONE

    def _take(self, peer: Peer, value: Json) -> None:
        previous = CURRENT.get()
        CURRENT.set(peer.scope)
        try:
            self._replace(self._codec.from_client(value), peer)
        except Exception as error:  # a validator may raise anything
            self._value = _STALE
            logger.warning("a state written by connection %r was refused: %s", peer.id, error)
            self._refuse(peer, wire.STATE_REJECTED)
        finally:
            CURRENT.set(previous)

    def _refuse(self, peer: Peer, reason: str) -> None:
        """Tell the client; its own copy of the state is ahead of ours, so it gets the true one as well."""
        try:
            peer.send_text(wire.state_error(reason))
            if peer.sends_protocol and (text := self.text()) is not None:
                peer.send_text(wire.state_update(text))
        except SocketClosed:
            return
