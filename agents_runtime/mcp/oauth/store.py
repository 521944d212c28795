"""Where the steps of authorizations are kept: the agent's keys, named and filled as the JavaScript SDK does.

Everything of one server is under `/<agent>/<server id>/`. A record of ours may have more fields than one of that SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from agents_runtime.mcp.oauth.callback import STATE_LIFETIME_MS
from agents_runtime.mcp.oauth.challenge import split_scopes
from agents_runtime.mcp.oauth.credentials import Client, Tokens, read_client, stored_tokens
from agents_runtime.mcp.oauth.errors import OAuthError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import KeyValue

MAX_KEY_BYTES = 2_048
MAX_PENDING = 10
"""So many people may be on their way for one server; the oldest is forgotten for the next."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody who was sent away for consent.

    Attributes:
        created_ms: when.
        client_id: as which client; None in what another SDK stored.
        issuer: to whom; None likewise.
        scopes: what for.
        code: what came back, once it has: from then on no other answer counts.
    """

    nonce: str = field(repr=False)
    server_id: str
    created_ms: int
    client_id: str | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    code: str | None = field(default=None, repr=False)

    def is_over(self, now_ms: int) -> bool:
        """Whether it is too late to come back."""
        return now_ms - self.created_ms > STATE_LIFETIME_MS

    def as_json(self) -> dict[str, Json]:
        """The record, as it is stored."""
        found: dict[str, Json] = {"nonce": self.nonce, "serverId": self.server_id, "createdAt": self.created_ms}
        given = {"clientId": self.client_id, "issuer": self.issuer, "code": self.code}
        found.update({name: value for name, value in given.items() if value is not None})
        return {**found, "scope": " ".join(self.scopes)} if self.scopes else found


class OAuthStore:
    """The keys of one server of one agent."""

    def __init__(self, kv: KeyValue, agent_name: str, server_id: str) -> None:
        self._kv = kv
        self._prefix = f"/{agent_name}/{server_id}/"
        self.server_id = server_id

    # Who the agent is, and what it was granted

    def client(self, client_id: str) -> Client | None:
        """The registration under a client id."""
        try:
            return read_client(self._kv.get(self._of_client(client_id, "client_info/")))
        except OAuthError:
            return None

    def save_client(self, client: Client, *, with_secret: bool = True) -> None:
        """Keep a registration. What is kept under its id for another authorization server goes.

        Raises:
            OAuthError: its id is too long to be kept.
        """
        key = self._of_client(client.client_id, "code_verifier/" + "x" * 64)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise OAuthError("the client id is too long to be kept: give the agent or the server a shorter name")
        known = self.client(client.client_id)
        if known is not None and known.issuer not in (None, client.issuer):
            self.forget_client(client.client_id)
        kept = client if with_secret else replace(client, secret=None)
        self._kv.put(self._of_client(client.client_id, "client_info/"), kept.as_json())

    def forget_client(self, client_id: str) -> None:
        """Drop a registration and all that was granted to it."""
        self._delete(self._of_client(client_id, ""))

    def tokens(self, client_id: str) -> Tokens | None:
        """What a client was granted."""
        return stored_tokens(self._kv.get(self._of_client(client_id, "token")))

    def save_tokens(self, client_id: str, tokens: Tokens) -> None:
        """Keep what a client was granted, in place of what it was granted before.

        Who authorizes is found out anew when the tokens are refused: it may be somebody else by then.
        """
        self._kv.put(self._of_client(client_id, "token"), tokens.as_json())
        self._kv.delete(self._prefix + "oauth_discovery")

    def forget_tokens(self, client_id: str) -> None:
        """Drop what a client was granted."""
        self._kv.delete(self._of_client(client_id, "token"))

    # Who authorizes

    def discovery(self) -> object:
        """What `save_discovery` kept last."""
        return cast("object", self._kv.get(self._prefix + "oauth_discovery"))

    def save_discovery(self, found: dict[str, Json]) -> None:
        """Keep who authorizes: needed when somebody comes back."""
        self._kv.put(self._prefix + "oauth_discovery", found)

    # Who is on the way

    def pending(self, nonce: str) -> Pending | None:
        """Somebody who was sent away and has not come back."""
        value = self._kv.get(f"{self._prefix}state/{nonce}")
        if not isinstance(value, dict):
            return None
        fields = cast("dict[str, object]", value)
        created = fields.get("createdAt")
        if fields.get("nonce") != nonce or not isinstance(created, int | float):
            return None
        client_id, issuer, scope, code = (fields.get(name) for name in ("clientId", "issuer", "scope", "code"))
        return Pending(
            nonce,
            str(fields.get("serverId")),
            int(created),
            client_id if isinstance(client_id, str) else None,
            issuer if isinstance(issuer, str) else None,
            split_scopes(scope) if isinstance(scope, str) else (),
            code if isinstance(code, str) else None,
        )

    def all_pending(self) -> list[Pending]:
        """Everybody who was sent away, oldest first."""
        prefix = f"{self._prefix}state/"
        found = [self.pending(key.removeprefix(prefix)) for key in self._kv.keys(prefix)]
        return sorted((one for one in found if one is not None), key=lambda one: one.created_ms)

    def begin(self, pending: Pending, verifier: str) -> None:
        """Keep what is needed when somebody comes back. Forgets those for whom it is too late, or who are too many."""
        waiting = self.all_pending()
        for number, other in enumerate(waiting):
            if other.is_over(pending.created_ms) or len(waiting) - number >= MAX_PENDING:
                self.end(other)
        self._kv.put(f"{self._prefix}state/{pending.nonce}", pending.as_json())
        key = self._of_client(pending.client_id or "", f"code_verifier/{pending.nonce}")
        self._kv.put(key, {"verifier": verifier, "createdAt": pending.created_ms})

    def receive(self, pending: Pending, code: str) -> Pending:
        """Keep the code that came back: from now on it is the only one that counts."""
        received = replace(pending, code=code)
        self._kv.put(f"{self._prefix}state/{pending.nonce}", received.as_json())
        return received

    def verifier(self, client_id: str, nonce: str) -> str | None:
        """The verifier of somebody who was sent away."""
        value = self._kv.get(self._of_client(client_id, f"code_verifier/{nonce}"))
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get("verifier")
        else:
            value = self._kv.get(self._of_client(client_id, "code_verifier"))
        return value if isinstance(value, str) and value else None

    def end(self, pending: Pending, client_id: str | None = None) -> None:
        """Forget somebody who was sent away."""
        self._kv.delete(f"{self._prefix}state/{pending.nonce}")
        client_id = pending.client_id or client_id
        if client_id is not None:
            self._kv.delete(self._of_client(client_id, f"code_verifier/{pending.nonce}"))

    # How often it was tried

    def attempts(self, scopes: tuple[str, ...]) -> int:
        """How often consent to exactly these scopes was asked for in a row."""
        value = self._kv.get(self._prefix + "scope_attempts")
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        count = fields.get("count")
        return int(count) if fields.get("scope") == _as_set(scopes) and isinstance(count, int | float) else 0

    def count_attempt(self, scopes: tuple[str, ...], count: int) -> None:
        """Note how often it was."""
        self._kv.put(self._prefix + "scope_attempts", {"scope": _as_set(scopes), "count": count})

    # All of it

    def clear(self) -> None:
        """Forget the server."""
        self._delete(self._prefix)

    def move(self, agent_name: str, server_id: str) -> OAuthStore:
        """Keep what was granted under another id of the server. Whoever is on the way is forgotten."""
        moved = OAuthStore(self._kv, agent_name, server_id)
        for key in self._kv.keys(self._prefix):
            rest = key.removeprefix(self._prefix)
            if not rest.startswith("state/") and "/code_verifier" not in rest:
                self._kv.put(moved._prefix + rest, self._kv.get(key))
            self._kv.delete(key)
        return moved

    def _of_client(self, client_id: str, what: str) -> str:
        return f"{self._prefix}{client_id}/{what}"

    def _delete(self, prefix: str) -> None:
        for key in self._kv.keys(prefix):
            self._kv.delete(key)


def _as_set(scopes: tuple[str, ...]) -> str:
    return " ".join(sorted(scopes))
