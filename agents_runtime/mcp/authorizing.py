"""Authorization at the MCP servers of one agent: each server's own, and the address where people come back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from agents_runtime._platform.base import is_response, make_response
from agents_runtime.context import CURRENT
from agents_runtime.errors import NotNamed, UsageError
from agents_runtime.mcp.client.errors import error_text
from agents_runtime.mcp.client.urls import check_server_url
from agents_runtime.mcp.oauth.authorization import Authorization
from agents_runtime.mcp.oauth.callback import is_callback_to, read_callback
from agents_runtime.mcp.oauth.ground import Ground
from agents_runtime.mcp.oauth.options import McpConsent, McpOAuthClient
from agents_runtime.mcp.oauth.outcomes import Authorized, CallbackOutcome, Failed
from agents_runtime.routing.urls import build_agent_path, parse_agent_path

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Platform
    from agents_runtime.mcp.client.adding import Wanted
    from agents_runtime.mcp.client.connection import ServerConnection

_WEB = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Authorizing:
    """The authorizations of one agent.

    Args:
        options_for: the agent's `create_mcp_oauth_provider`.
        agent: the agent's class and name.
        path: the way to it from its root, as `self_path`.
        hides_name: whether clients must not learn the name, so that it may not stand in an address.
    """

    def __init__(
        self,
        platform: Platform,
        options_for: Callable[[str], McpOAuthClient],
        agent: Callable[[], tuple[str, str]],
        path: Callable[[], Sequence[Mapping[str, str]]],
        *,
        hides_name: bool,
    ) -> None:
        self._platform = platform
        self._options_for = options_for
        self._agent = agent
        self._path = path
        self._hides_name = hides_name
        self._made: dict[str, Authorization] = {}

    def at(self, connection: ServerConnection) -> Authorization:
        """The authorization at a server."""
        server_id = connection.row.id
        made = self._made.get(server_id)
        if made is None:
            made = self._made[server_id] = self._make(connection)
        return made

    def _make(self, connection: ServerConnection) -> Authorization:
        row, platform = connection.row, self._platform
        options = self._options_for(row.callback_url)
        if not isinstance(options, McpOAuthClient):  # pyright: ignore[reportUnnecessaryIsInstance] # authors without types
            raise UsageError(f"create_mcp_oauth_provider must return a McpOAuthClient, not {options!r}"[:300])
        if row.transport.get("skipIssuerMetadataValidation") is True:
            options = replace(options, skip_issuer_check=True)
        cls, name = self._agent()
        ground = Ground(
            platform.fetch,
            platform.kv,
            platform.clock,
            platform.entropy,
            permit,
            platform.spawn,
            platform.sql.transaction,
            platform.committed,
        )
        return Authorization(
            ground,
            _Row(connection),
            options,
            server_url=row.server_url,
            server_id=row.id,
            callback_url=row.callback_url or None,
            agent_name=name,
            shown_name=cls,
        )

    def is_redeemable(self, connection: ServerConnection) -> bool:
        """Whether somebody who is sent to the address that waits can still come back."""
        auth_url = connection.row.auth_url
        return auth_url is not None and self.at(connection).is_redeemable(auth_url)

    def redirect(self, connection: ServerConnection, wanted: Wanted) -> None:
        """Let people come back to an address that is known now, if there was none."""
        if not connection.row.callback_url:
            connection.keep(replace(connection.row, callback_url=self.callback_url(wanted)))
            self._made.pop(connection.row.id, None)

    def move(self, connection: ServerConnection, server_id: str) -> None:
        """Keep what was granted under another id of the server."""
        self.at(connection).store.move(self._agent()[1], server_id)
        self._made.pop(connection.row.id, None)

    def forget(self, connection: ServerConnection) -> None:
        """Forget what was granted."""
        if not connection.row.server_url.startswith("rpc:"):
            self.at(connection).store.clear()
        self._made.pop(connection.row.id, None)

    # Where people come back

    def callback_url(self, wanted: Wanted) -> str:
        """Where people come back to; empty where no such address is known, and then nobody can be asked.

        Raises:
            UsageError: the address would show the agent's name, which is hidden.
        """
        here = _current_url()
        host = wanted.callback_host.rstrip("/") if wanted.callback_host else _origin(here)
        if not host or wanted.url.startswith("rpc:"):
            return ""
        if wanted.callback_path is not None:
            return f"{host}/{wanted.callback_path.lstrip('/')}"
        if self._hides_name:
            if wanted.callback_host is None:
                return ""
            raise UsageError("this agent does not tell its name, so add_mcp_server needs a callback_path without it")
        try:
            path = self._path()
        except NotNamed:
            return ""
        # A root may be reached by a name of its own; a sub-agent is asked without the way to it.
        found = parse_agent_path(here, prefix=wanted.agents_prefix) if here and len(path) == 1 else None
        root = None if found is None else found.agent
        return host + build_agent_path(path, prefix=wanted.agents_prefix, leaf_path="/callback", root_binding=root)

    def _is_callback(self, url: str, callback_url: str) -> bool:
        if is_callback_to(url, callback_url):
            return True
        way, mark, rest = callback_url.rpartition("/sub/")
        if not mark or len(self._path()) == 1:
            return False
        return is_callback_to(url, _origin(way) + "/" + "/".join(rest.split("/")[2:]))

    async def answer(
        self,
        request: Any,  # noqa: ANN401 - the platform's
        connections: Mapping[str, ServerConnection],
        connect: Callable[[ServerConnection], None],
    ) -> object | None:
        """Answer a person who comes back with a consent; None if the request is something else."""
        url = str(request.url)
        if str(getattr(request.method, "value", request.method)) != "GET" or "state=" not in url:
            return None
        callback = read_callback(url)
        connection = None if callback is None else connections.get(callback.server_id)
        if connection is None or not self._is_callback(url, connection.row.callback_url):
            return None
        is_connected = connection.state in ("ready", "connected", "discovering")
        outcome = await self.at(connection).on_callback(url, is_connected=is_connected)
        self.came_back(connection, outcome, connect)
        options = self.at(connection).options
        error = None if isinstance(outcome, Authorized) else error_text(outcome.reason)
        if options.respond is not None:
            return await _responded(options.respond(McpConsent(connection.row.id, error)))
        location = _address_after(options, error) or _origin(url)
        redirect: object = make_response(None, 302, {"location": location, "referrer-policy": "no-referrer"})
        return redirect

    def came_back(
        self, connection: ServerConnection, outcome: CallbackOutcome, connect: Callable[[ServerConnection], None]
    ) -> None:
        """Go on with a server after somebody came back."""
        if isinstance(outcome, Authorized) and (outcome.is_new or connection.state == "authenticating"):
            connection.keep(replace(connection.row, auth_url=None))
            connection.become("connecting")
            connect(connection)
        elif isinstance(outcome, Failed) and outcome.is_passing:
            connection.become("authenticating", outcome.reason)
        elif isinstance(outcome, Failed):
            connection.fail(outcome.reason)

    def resume(self, connection: ServerConnection, connect: Callable[[ServerConnection], None]) -> None:
        """Go on with a person who came back before the agent died."""
        if self.at(connection).has_code:
            self._platform.spawn(self._resume(connection, connect))

    async def _resume(self, connection: ServerConnection, connect: Callable[[ServerConnection], None]) -> None:
        outcome = await self.at(connection).resume()
        if outcome is not None:
            self.came_back(connection, outcome, connect)


class _Row:
    """The part of a server's row that authorization looks after."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    @property
    def client_id(self) -> str | None:
        return self._connection.row.client_id

    @property
    def auth_url(self) -> str | None:
        return self._connection.row.auth_url

    def note(self, client_id: str | None, auth_url: str | None) -> None:
        self._connection.keep(replace(self._connection.row, client_id=client_id, auth_url=auth_url))


async def _responded(response: object) -> object:
    given: object = await response if inspect.isawaitable(response) else response
    if not is_response(given):
        raise UsageError(f"McpOAuthClient.respond must return a Response, not {given!r}"[:300])
    return given


def _address_after(options: McpOAuthClient, error: str | None) -> str | None:
    """Where the author wants a browser sent; None if that is nowhere, or no address."""
    target = options.success_redirect if error is None else options.error_redirect
    if target is None or not _is_address(target):
        return None
    if error is None:
        return target
    address, hash_sign, fragment = target.partition("#")
    return f"{address}{'&' if '?' in address else '?'}error={quote(error, safe='')}{hash_sign}{fragment}"


def permit(url: str) -> None:
    """Raise UsageError for an address that an agent must not call."""
    check_server_url(url)


def _current_url() -> str:
    """The URL of the request or connection that is being handled; empty if there is none."""
    current = CURRENT.get()
    if current.request is not None:
        return str(current.request.url)
    return str(current.connection.uri or "") if current.connection is not None else ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{_WEB[parts.scheme]}://{parts.netloc}" if parts.scheme in _WEB and parts.netloc else ""


def _is_address(target: str) -> bool:
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    return (is_path or target.startswith(("https://", "http://"))) and target.isprintable()
