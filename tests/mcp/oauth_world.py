"""A small world for the authorization at one server: real storage, an offline provider, and death on request.

Nothing lives longer than one step: each step is done by an `Authorization` of its own over what is stored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

from agents_runtime.errors import FetchFailed, UsageError
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.entropy import SeededEntropy
from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.port import LocalKeyValue
from agents_runtime.mcp.oauth.authorization import Authorization
from agents_runtime.mcp.oauth.ground import Ground, is_challenge
from agents_runtime.mcp.oauth.options import McpOAuthClient
from agents_runtime.mcp.oauth.outcomes import CallbackOutcome, ChallengeOutcome, Retry
from tests.mcp.provider import LEGACY, Provider, Quirks

CALLBACK = "https://app.test/agents/clerk/ada/callback"


class Killed(BaseException):
    """The process is gone."""


class Answer:
    """The port's `HttpAnswer`."""

    def __init__(self, url: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self.url, self.status, self.headers, self.body = url, status, headers, body

    async def read(self, limit: int) -> bytes:
        if len(self.body) > limit:
            raise FetchFailed(self.url, f"more than {limit} bytes")
        return self.body

    async def chunks(self) -> AsyncGenerator[bytes]:
        yield self.body

    async def close(self) -> None:
        pass


class Row:
    """The server's row, stored beside the keys."""

    def __init__(self, kv: LocalKeyValue) -> None:
        self._kv = kv

    def _read(self, name: str) -> Any:
        stored: Any = self._kv.get("row")
        return stored[name] if stored else None

    @property
    def client_id(self) -> str | None:
        return self._read("client_id")

    @property
    def auth_url(self) -> str | None:
        return self._read("auth_url")

    def note(self, client_id: str | None, auth_url: str | None) -> None:
        self._kv.put("row", {"client_id": client_id, "auth_url": auth_url})


class World:
    """One agent, one server.

    Attributes:
        deadly: the number of the request to the outside with which the process dies, counted from 1.
        strangers: what was asked for elsewhere.
        dies_after: whether that request still arrives.
        held: while it is not set, no token arrives.
    """

    def __init__(
        self,
        quirks: Quirks | None = None,
        options: McpOAuthClient | None = None,
        *,
        callback_url: str | None = CALLBACK,
        base: str = "https://provider.test",
    ) -> None:
        self.clock = VirtualClock()
        self.provider = Provider(quirks, lambda: self.clock.now_ms() / 1000, base)
        self.options = options or McpOAuthClient()
        self.callback_url = callback_url
        self.database = Database(None, on_dirty=lambda: None)
        self.kv = LocalKeyValue(self.database)
        self.row = Row(self.kv)
        self.entropy = SeededEntropy(7)
        self.deadly: int | None = None
        self.dies_after = False
        self.requests = 0
        self.forbidden: tuple[str, ...] = ()
        self.strangers: list[str] = []
        self.held: asyncio.Event | None = None
        self._background: set[asyncio.Task[None]] = set()

    def authorization(self) -> Authorization:
        ground = Ground(
            self.fetch,
            self.kv,
            self.clock,
            self.entropy,
            self._permit,
            self._spawn,
            self.database.transaction,
            self._committed,
        )
        return Authorization(
            ground,
            self.row,
            self.options,
            server_url=self.provider.mcp_url,
            server_id="srv",
            callback_url=self.callback_url,
            agent_name="ada",
            shown_name="Clerk",
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def idle(self) -> None:
        """Wait until nothing goes on in the background."""
        while self._background:
            await asyncio.gather(*self._background)

    async def _committed(self) -> None:
        await asyncio.sleep(0)
        self.database.commit()

    def _permit(self, url: str) -> None:
        if any(host in url for host in self.forbidden):
            raise UsageError("no")

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        """The port's `Fetch`."""
        assert timeout_s > 0
        await asyncio.sleep(0)
        self.requests += 1
        if self.requests == self.deadly and not self.dies_after:
            raise Killed
        if not url.startswith(f"{self.provider.base}/"):
            self.strangers.append(url)
            raise FetchFailed(url, "there is nobody at " + url)
        given = {name.lower(): value for name, value in (headers or {}).items()}
        answer = Answer(url, *await self.provider.handle(method, url, given, body or b""))
        if self.requests == self.deadly:
            raise Killed
        if self.held is not None and url.endswith("/token"):
            await self.held.wait()
        return answer

    # What happens to it

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        until_ms = self.clock.now_ms() + round(seconds * 1000)
        while self.clock.now_ms() < until_ms:
            self.clock.step(until_ms)

    async def challenge(self, tool: str = "whoami", sent: Mapping[str, str] | None = None) -> ChallengeOutcome | Answer:
        """Call a tool; gives the answer, or what came of its refusal."""
        headers = dict(await self.authorization().headers()) if sent is None else dict(sent)
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
        given = {"content-type": "application/json", "mcp-protocol-version": LEGACY, **headers}
        body = json.dumps(message).encode()
        url = self.provider.mcp_url
        answer = Answer(url, *await self.provider.handle("POST", url, given, body))
        if not is_challenge(answer):
            return answer
        return await self._step(lambda: self.authorization().on_challenge(answer, headers))

    async def use(self, tool: str = "whoami") -> Any:
        """Call a tool as a client does: again after `Retry`."""
        for _ in range(5):
            outcome = await self.challenge(tool)
            if not isinstance(outcome, Retry):
                return outcome
        raise AssertionError("the authorization goes round in circles")

    async def come_back(self, url: str, *, is_connected: bool = False) -> Any:
        return await self._step(lambda: self.authorization().on_callback(url, is_connected=is_connected))

    async def resume(self) -> CallbackOutcome | None:
        return await self._step(lambda: self.authorization().resume())

    async def _step(self, act: Callable[[], Awaitable[Any]]) -> Any:
        try:
            outcome = await act()
        except Killed:
            self.database.rollback()
            raise
        self.database.commit()
        return outcome

    def stored(self) -> dict[str, Any]:
        """Every key of the server, without its prefix."""
        prefix = "/ada/srv/"
        return {key.removeprefix(prefix): self.kv.get(key) for key in self.kv.keys(prefix)}


def is_served(outcome: object) -> bool:
    """Whether a call got an answer."""
    return isinstance(outcome, Answer) and outcome.status == 200
