"""The authorization at one MCP server: carries the decisions of this package out, each step stored before the next.

An instance holds nothing that is not stored: after any of its steps another one, in another life of the agent, goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from agents_runtime._core.ids import nanoid
from agents_runtime.mcp.oauth.callback import Callback, check_issuer, make_state, read_callback
from agents_runtime.mcp.oauth.challenge import Challenge, read_challenge
from agents_runtime.mcp.oauth.credentials import Client, Tokens, read_client, read_tokens
from agents_runtime.mcp.oauth.discovery import Discovery, discover, stored_discovery
from agents_runtime.mcp.oauth.errors import OAuthError, OAuthRejected, OAuthUnavailable
from agents_runtime.mcp.oauth.ground import is_challenge, to_its_end
from agents_runtime.mcp.oauth.outcomes import (
    Authorized,
    CallbackOutcome,
    ChallengeOutcome,
    Failed,
    Ignored,
    NeedsUser,
    Retry,
)
from agents_runtime.mcp.oauth.pkce import make_verifier
from agents_runtime.mcp.oauth.requests import (
    Form,
    assertion_fields,
    authorization_url,
    choose_scopes,
    code_form,
    given_client,
    own_form,
    refresh_form,
    registration,
)
from agents_runtime.mcp.oauth.store import OAuthStore, Pending
from agents_runtime.mcp.oauth.wire import Wire

if TYPE_CHECKING:
    from agents_runtime.mcp.oauth.ground import Ground, Refusal, ServerRow
    from agents_runtime.mcp.oauth.options import McpOAuthClient

MAX_ATTEMPTS = 3
"""So often in a row consent to the same scopes is asked for."""

FRESH_MS = 10_000
"""A token that is refused within this time after it replaced a refused one would be replaced for ever."""

REUSED_MS = 5 * 60 * 1000
"""For so long somebody else who needs the same consent is sent to the same address."""


class Authorization:
    """The authorization at one MCP server.

    Args:
        server_url: the server.
        server_id: its id, part of the state that comes back.
        callback_url: where people come back to; None if there is no such address, and then nobody can be asked.
        agent_name: whose keys these are.
        shown_name: what people read if the options have no name.
        row: the server's row.
    """

    def __init__(
        self,
        ground: Ground,
        row: ServerRow,
        options: McpOAuthClient,
        *,
        server_url: str,
        server_id: str,
        callback_url: str | None,
        agent_name: str,
        shown_name: str,
    ) -> None:
        self._ground = ground
        self._row = row
        self.options = options
        self._server_url = server_url
        self._callback_url = callback_url
        self._shown_name = shown_name
        self._wire = Wire(ground.fetch, ground.permit)
        self._one_at_a_time = asyncio.Lock()
        self.store = OAuthStore(ground.kv, agent_name, server_id)

    # For requests to the server

    async def headers(self) -> Mapping[str, str]:
        """The headers that authorize a request to the server, and to no other; none without a token."""
        tokens = self._tokens()
        return {} if tokens is None else {"authorization": f"Bearer {tokens.access_token}"}

    async def on_challenge(self, answer: Refusal, sent: Mapping[str, str] | None = None) -> ChallengeOutcome:
        """Answer a refused request. What is no challenge (see `is_challenge`) fails at once.

        Refreshes or gets a token if that needs nobody. Otherwise all that a person's return needs is stored and
        durable before `NeedsUser` is returned. Requests that need the same consent get the same address.

        Args:
            sent: what `headers()` gave for the refused request, so that a token that was replaced meanwhile is noticed.
        """
        if not is_challenge(answer):
            return Failed(f"the server refuses the request with HTTP {answer.status}")
        challenge = read_challenge(answer.headers.get("www-authenticate"))
        return await to_its_end(self._ground.spawn, self._answered(answer.status, challenge, sent))

    async def _answered(self, status: int, challenge: Challenge, sent: Mapping[str, str] | None) -> ChallengeOutcome:
        try:
            async with self._one_at_a_time:
                if sent is not None and dict(sent) != await self.headers():
                    return Retry()
                return await self._answer(status, challenge)
        except OAuthUnavailable as error:
            return Failed(str(error), is_passing=True)
        except OAuthError as error:
            return Failed(str(error))

    async def _answer(self, status: int, challenge: Challenge) -> ChallengeOutcome:
        held = self._tokens()
        known = {issuer for issuer in (self.options.issuer, held and held.issuer) if issuer}
        found = await discover(
            self._wire,
            self._server_url,
            challenge,
            known=known,
            checks_issuer=not self.options.skip_issuer_check,
        )
        if held is not None and held.issuer not in (None, found.server.issuer):
            held = None
        if self.options.grant == "client_credentials":
            return await self._ask_for_itself(found, challenge, held, status)
        if status == 401 and held is not None and await self._refresh(found, held):
            return Retry()
        return await self._ask_somebody(found, challenge, held, is_step_up=status == 403)

    def _tokens(self) -> Tokens | None:
        client_id = self._row.client_id
        return None if client_id is None else self.store.tokens(client_id)

    # Tokens that need nobody

    async def _refresh(self, found: Discovery, held: Tokens) -> bool:
        client_id = self._row.client_id
        client = None if client_id is None else self._known_client(found, client_id)
        if client is None or held.refresh_token is None or self._is_fresh(held):
            return False
        try:
            form = refresh_form(found, client, held.refresh_token)
            tokens = await self._get_tokens(found, form, "to refresh tokens", held.scopes, held)
        except OAuthRejected as error:
            if error.error == "invalid_client":
                self.store.forget_client(client.client_id)
            self.store.forget_tokens(client.client_id)
            return False
        self.store.save_tokens(client.client_id, tokens)
        await self._ground.committed()
        return True

    async def _ask_for_itself(
        self, found: Discovery, challenge: Challenge, held: Tokens | None, status: int
    ) -> ChallengeOutcome:
        if status == 401 and held is not None and self._is_fresh(held):
            return Failed("the server refuses the token that its authorization server has just issued")
        client = await self._client(found, ())
        scopes = choose_scopes(found, challenge, held.scopes if held is not None else (), self.options)
        self._count_attempt(scopes, is_step_up=status == 403)
        form = own_form(found, client, scopes)
        self.store.save_tokens(client.client_id, await self._get_tokens(found, form, "tokens", scopes))
        self._row.note(client.client_id, None)
        await self._ground.committed()
        return Retry()

    async def _get_tokens(
        self, found: Discovery, form: Form, what: str, asked: tuple[str, ...], previous: Tokens | None = None
    ) -> Tokens:
        fields = form.fields
        if self.options.client_assertion is not None:
            assertion = self.options.client_assertion(found.server.issuer)
            fields = {**fields, **assertion_fields(assertion if isinstance(assertion, str) else await assertion)}
        answer = await self._wire.post_form(found.server.token_endpoint, fields, form.headers)
        if not answer.is_ok:
            error = answer.body.get("error") if isinstance(answer.body, dict) else None
            if answer.status == 429 or error in ("temporarily_unavailable", "server_error"):
                raise OAuthUnavailable("the authorization server issues no tokens for the moment")
            raise OAuthRejected(what, error)
        renewed_ms = None if form.fields["grant_type"] == "authorization_code" else self._ground.clock.now_ms()
        return read_tokens(answer.body, found.server.issuer, renewed_ms=renewed_ms, asked=asked, previous=previous)

    def _is_fresh(self, tokens: Tokens) -> bool:
        renewed_ms = tokens.renewed_ms
        return renewed_ms is not None and self._ground.clock.now_ms() - renewed_ms < FRESH_MS

    # Who the agent is

    def _known_client(self, found: Discovery, client_id: str) -> Client | None:
        """The client under an id, if it may be used with the authorization server."""
        known = self.store.client(client_id)
        given = given_client(found.server, known, self.options)
        if given is not None and given.client_id == client_id:
            return given
        if known is None or self.options.client_id is not None:
            return None
        usable = known.is_usable(found.server.issuer, self._callback_url, self._ground.clock.now_ms())
        return known if usable else None

    async def _client(self, found: Discovery, scopes: tuple[str, ...]) -> Client:
        """The client to ask as; registers one if there is none, and stores it."""
        held = self._row.client_id
        client = None if held is None else self._known_client(found, held)
        if client is None:
            own_id = self.options.client_id
            client = given_client(found.server, self.store.client(own_id) if own_id else None, self.options)
        if client is None:
            client = await self._register(found, scopes)
        if held is not None and held != client.client_id:
            self.store.forget_client(held)
        self.store.save_client(client, with_secret=self.options.client_id is None)
        if held != client.client_id:
            self._row.note(client.client_id, None)
        return client

    async def _register(self, found: Discovery, scopes: tuple[str, ...]) -> Client:
        endpoint = found.server.registration_endpoint
        if endpoint is None or self._callback_url is None:
            raise OAuthError(
                "the authorization server does not let clients register themselves: register one by hand and return "
                "its client_id from create_mcp_oauth_provider"
            )
        document = registration(found.server, self.options, self._shown_name, self._callback_url, scopes)
        answer = await self._wire.post_json(endpoint, document)
        if not answer.is_ok:
            told = answer.body if isinstance(answer.body, dict) else {}
            raise OAuthRejected("the registration", told.get("error"), told.get("error_description"))
        client = read_client(answer.body, found.server.issuer)
        return replace(client, redirects=(self._callback_url,))

    # Asking somebody

    async def _ask_somebody(
        self, found: Discovery, challenge: Challenge, held: Tokens | None, *, is_step_up: bool
    ) -> NeedsUser:
        if self._callback_url is None:
            raise OAuthError(
                "the server needs a person's consent, and there is no address to come back to: "
                "pass callback_host to add_mcp_server"
            )
        scopes = choose_scopes(found, challenge, held.scopes if held is not None else (), self.options)
        client = await self._client(found, scopes)
        auth_url = self._row.auth_url
        if auth_url is None or not self._serves(auth_url, client, scopes):
            self._count_attempt(scopes, is_step_up=is_step_up)
            auth_url = self._begin(found, client, scopes, self._callback_url)
        await self._ground.committed()
        return NeedsUser(auth_url)

    def _begin(self, found: Discovery, client: Client, scopes: tuple[str, ...], callback_url: str) -> str:
        chance = self._ground.entropy.random_bytes
        nonce, verifier = nanoid(chance), make_verifier(chance)
        state = make_state(nonce, self.store.server_id)
        auth_url = authorization_url(found, client, callback_url, state, verifier, scopes)
        now_ms = self._ground.clock.now_ms()
        issuer = found.server.issuer
        pending = Pending(nonce, self.store.server_id, now_ms, client.client_id, issuer, scopes)

        def begin() -> None:
            self.store.save_discovery(found.as_json())
            self.store.begin(pending, verifier)
            self._row.note(client.client_id, auth_url)

        self._ground.atomically(begin)
        return auth_url

    def _serves(self, auth_url: str, client: Client, scopes: tuple[str, ...]) -> bool:
        pending = self._pending_of(auth_url)
        return (
            pending is not None
            and pending.code is None
            and self._ground.clock.now_ms() - pending.created_ms < REUSED_MS
            and (pending.client_id, pending.issuer) == (client.client_id, client.issuer)
            and set(pending.scopes) == set(scopes)
        )

    def is_redeemable(self, auth_url: str) -> bool:
        """Whether somebody who is sent to an address that `NeedsUser` gave can still come back."""
        pending = self._pending_of(auth_url)
        return pending is not None and not pending.is_over(self._ground.clock.now_ms())

    def _is_awaited(self, pending: Pending | None) -> bool:
        """Whether it is this person whom the server waits for, and not a second one with the same question."""
        state = read_callback(self._row.auth_url or "")
        return pending is not None and state is not None and state.nonce == pending.nonce

    def _pending_of(self, auth_url: str) -> Pending | None:
        state = read_callback(auth_url)
        is_ours = state is not None and state.server_id == self.store.server_id
        return self.store.pending(state.nonce) if state is not None and is_ours else None

    def _count_attempt(self, scopes: tuple[str, ...], *, is_step_up: bool) -> None:
        """Count how often in a row the same consent is asked for; a request that was refused as a whole starts anew."""
        count = self.store.attempts(scopes) if is_step_up else 0
        if count >= MAX_ATTEMPTS:
            raise OAuthError(f"the server wants more scopes, though it was granted all it asked for {count} times")
        self.store.count_attempt(scopes, count + 1)

    # Somebody comes back

    async def on_callback(self, url: str, *, is_connected: bool = False) -> CallbackOutcome:
        """Redeem what somebody brought back. Repeating it is harmless: one code is redeemed for one state.

        A callback that was never waited for, came too late or was used changes nothing. The code is stored before it
        is redeemed: if the agent dies in between, `resume` goes on, or the same callback when it is repeated.

        Args:
            url: the address of the request, with its query.
            is_connected: whether the server takes the agent's requests already. Then only the callback counts that it
                waits for, as it does for more scopes.
        """
        return await to_its_end(self._ground.spawn, self._came_back(url, is_connected=is_connected))

    async def _came_back(self, url: str, *, is_connected: bool) -> CallbackOutcome:
        async with self._one_at_a_time:
            callback = read_callback(url)
            pending = None if callback is None else self.store.pending(callback.nonce)
            now_ms = self._ground.clock.now_ms()
            if pending is not None and (pending.is_over(now_ms) or pending.server_id != self.store.server_id):
                self.store.end(pending, self._row.client_id)
                pending = None
            if is_connected and not self._is_awaited(pending):
                if pending is not None:
                    self.store.end(pending, self._row.client_id)
                return Authorized(is_new=False)
            if callback is None or callback.server_id != self.store.server_id or pending is None:
                return Ignored("nobody is waited for under this state: it is unknown, too old, or was used")
            if pending.code not in (None, callback.code):
                return Ignored("another answer to the same question came first")
            return await self._redeem(callback, pending)

    @property
    def has_code(self) -> bool:
        """Whether a code came back in an earlier life of the agent and was not redeemed."""
        return any(pending.code is not None for pending in self.store.all_pending())

    async def resume(self) -> CallbackOutcome | None:
        """Redeem a code that came back in an earlier life of the agent; None if there is none."""
        async with self._one_at_a_time:
            for pending in self.store.all_pending():
                if pending.code is not None and not pending.is_over(self._ground.clock.now_ms()):
                    callback = Callback(pending.nonce, pending.server_id, pending.code)
                    return await self._redeem(callback, pending)
        return None

    async def _redeem(self, callback: Callback, pending: Pending) -> CallbackOutcome:
        client_id = pending.client_id or self._row.client_id
        try:
            found, client, verifier = self._asked(pending, client_id)
            if pending.code is None:
                check_issuer(found.server, pending.issuer or found.server.issuer, callback.issuer)
            if callback.error is not None:
                raise OAuthRejected("consent", callback.error, callback.error_description)
            if callback.code is None:
                raise OAuthError("the authorization server sent nobody's consent back")
            pending = self.store.receive(pending, callback.code)
            await self._ground.committed()
            form = code_form(found, client, callback.code, verifier, self._callback_url or "")
            tokens = await self._get_tokens(found, form, "the code", pending.scopes)
        except OAuthUnavailable as error:
            return Failed(str(error), is_passing=True)
        except OAuthError as error:
            if isinstance(error, OAuthRejected) and error.error == "invalid_client" and client_id is not None:
                self.store.forget_client(client_id)
            self._end(pending, client_id)
            return Failed(str(error))
        self._ground.atomically(lambda: self._end(pending, client.client_id, tokens))
        await self._ground.committed()
        return Authorized()

    def _asked(self, pending: Pending, client_id: str | None) -> tuple[Discovery, Client, str]:
        """Whom somebody was sent to, as which client, and with which proof."""
        found = stored_discovery(self.store.discovery(), self._server_url)
        client = None if client_id is None or found is None else self._known_client(found, client_id)
        verifier = None if client_id is None else self.store.verifier(client_id, pending.nonce)
        if found is None or client is None or verifier is None:
            raise OAuthError("what is needed to redeem the code is not there any more: start again")
        return found, client, verifier

    def _end(self, pending: Pending, client_id: str | None, tokens: Tokens | None = None) -> None:
        """Forget somebody, and the address they were sent to; keep what they granted."""
        if client_id is not None and tokens is not None:
            self.store.save_tokens(client_id, tokens)
        self.store.end(pending, client_id)
        if self._is_awaited(pending):
            self._row.note(self._row.client_id, None)
