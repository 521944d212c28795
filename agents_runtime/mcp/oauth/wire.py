"""Requests of an authorization over the Fetch port: bounded, and never redirected to another origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from agents_runtime._core.jsonx import Json, dumps, loads
from agents_runtime.errors import AgentError
from agents_runtime.mcp.oauth.errors import OAuthError, OAuthUnavailable
from agents_runtime.mcp.oauth.urls import Url, form, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents_runtime._platform.ports import Fetch

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 256 * 1024
MAX_REDIRECTS = 3

_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, and its body as JSON, or None if it has none."""

    status: int
    body: Json

    @property
    def is_ok(self) -> bool:
        """Whether the request was served."""
        return 200 <= self.status < 300


class Wire:
    """Makes the requests of one authorization.

    Args:
        permit: raises for an address that this agent must not call.
    """

    def __init__(self, fetch: Fetch, permit: Callable[[str], None]) -> None:
        self._fetch = fetch
        self._permit = permit

    async def get(self, url: str) -> Answer:
        """Read a document. Redirects are followed within its origin.

        Raises:
            OAuthUnavailable: the server cannot be reached or fails.
            OAuthError: it leads elsewhere, or answers more than is read.
        """
        here = parse_url(url, "an address of the authorization")
        for _ in range(MAX_REDIRECTS + 1):
            status, headers, body = await self._send("GET", here, {"accept": "application/json"}, None)
            if status not in _REDIRECTS:
                return _answer(status, body, here)
            there = parse_url(urljoin(here.text, headers.get("location", "")), "the target of a redirect")
            if there.origin != here.origin:
                raise OAuthError(f"{here.origin} redirects to another server")
            here = there
        raise OAuthError(f"{here.origin} redirects in circles")

    async def post_form(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """Send a form. A redirect is refused: the form carries secrets."""
        return await self._post(url, form(fields), "application/x-www-form-urlencoded", headers)

    async def post_json(self, url: str, document: Mapping[str, Json]) -> Answer:
        """Send a document. A redirect is refused."""
        return await self._post(url, dumps(document).encode(), "application/json", {})

    async def _post(self, url: str, data: bytes, kind: str, headers: Mapping[str, str]) -> Answer:
        here = parse_url(url, "an address of the authorization")
        given = {"accept": "application/json", "content-type": kind, **headers}
        status, _, body = await self._send("POST", here, given, data)
        if status in _REDIRECTS:
            raise OAuthError(f"{here.origin} redirects a request that must not be redirected")
        return _answer(status, body, here)

    async def _send(
        self, method: str, url: Url, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            self._permit(url.text)
        except AgentError:
            raise OAuthError(f"{url.origin} is an address that agents do not call") from None
        try:
            answer = await self._fetch(method, url.text, headers=headers, body=body, timeout_s=TIMEOUT_S)
            try:
                return answer.status, answer.headers, await answer.read(MAX_ANSWER_BYTES)
            finally:
                await answer.close()
        except AgentError as error:
            # Of the cause only the kind is told: its text may quote the address and what was sent to it.
            raise OAuthUnavailable(f"{url.origin} could not be asked ({type(error).__name__})") from None


def _answer(status: int, body: bytes, url: Url) -> Answer:
    if status >= 500:
        raise OAuthUnavailable(f"{url.origin} failed with status {status}")
    try:
        return Answer(status, loads(body.decode()))
    except ValueError:
        return Answer(status, None)
