"""Streamable HTTP: each message is a POST, answered with JSON or with a stream of events that can be resumed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime.errors import FetchFailed
from agents_runtime.mcp.client.errors import HttpRefusal, McpUnauthorized, ProtocolFailure, SessionLost, error_text
from agents_runtime.mcp.client.urls import redirect_target
from agents_runtime.mcp.oauth.ground import is_challenge
from agents_runtime.mcp.oauth.outcomes import Failed, NeedsUser
from agents_runtime.mcp.protocol.messages import McpError, Message, Params, RequestId, Response, parse_message
from agents_runtime.mcp.protocol.sse import SseDecoder, SseEvent
from agents_runtime.mcp.protocol.versions import LAST_EVENT_HEADER, SESSION_HEADER, VERSION_HEADER, is_modern

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Fetch, HttpAnswer
    from agents_runtime.mcp.client.transport import Authorization, Deliver

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The longest answer that is read, and the longest event."""

MAX_STREAM_BYTES = 64 * 1024 * 1024
"""The most that one stream may bring."""

MAX_ERROR_BYTES = 64 * 1024
MAX_REDIRECTS = 3
MAX_CHALLENGES = 4
"""How often one request is sent again with new credentials; the authorization has limits of its own."""

MAX_RESUMES = 5
"""How often a stream that brings nothing new is resumed."""

DEFAULT_RETRY_MS = 1_000
MAX_RETRY_MS = 60_000
MAX_SESSION_ID_CHARS = 1_024
_NO_HEADERS: Mapping[str, str] = {}
_RESENT = (307, 308)
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is, and what a client of it may use.

    Attributes:
        headers: sent with every request; never to another host.
        authorization: credentials; None: a demand for them is a failure.
    """

    url: str
    headers: Mapping[str, str]
    fetch: Fetch
    clock: Clock
    authorization: Authorization | None = None

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> HttpAnswer:
        """Send a request, with credentials; redirects within the host are followed.

        Raises:
            McpUnauthorized: a person has to give consent first, or there is no way to be authorized.
            HttpRefusal: the server wants more scopes, and granting them does not help.
            FetchFailed: there is no answer, it leads to another host, or credentials are not to be had for the moment.
        """
        redirects = challenges = 0
        while True:
            sent = _NO_HEADERS if self.authorization is None else await self.authorization.headers()
            given = {**self.headers, **headers, **sent}
            answer = await self.fetch(method, url, headers=given, body=body, timeout_s=timeout_s)
            if answer.status in _REDIRECTS and redirects < MAX_REDIRECTS:
                redirects += 1
                url = await self._redirected(method, url, answer)
            elif is_challenge(answer) and challenges < MAX_CHALLENGES:
                challenges += 1
                await self._challenged(answer, sent)
            else:
                return answer

    async def _redirected(self, method: str, url: str, answer: HttpAnswer) -> str:
        await answer.close()
        target = redirect_target(url, answer.headers.get("location"))
        if target is None:
            raise FetchFailed(url, "it redirects to another host, which is not followed")
        if answer.status not in _RESENT and method != "GET":
            raise FetchFailed(url, f"it answers a {method} with the redirect {answer.status}, which is not followed")
        return target

    async def _challenged(self, answer: HttpAnswer, sent: Mapping[str, str]) -> None:
        """Return when the request may be sent again."""
        await answer.close()
        if self.authorization is None:
            raise McpUnauthorized(None, "the server asks for authorization: pass headers that grant it")
        outcome = await self.authorization.on_challenge(answer, sent)
        if isinstance(outcome, NeedsUser):
            raise McpUnauthorized(outcome.auth_url)
        if isinstance(outcome, Failed):
            if outcome.is_passing:
                raise FetchFailed(self.url, outcome.reason)
            if answer.status == 403:  # this request is refused; others may be served
                raise HttpRefusal(403, None, outcome.reason)
            raise McpUnauthorized(None, outcome.reason)


class HttpTransport:
    """One server over streamable HTTP."""

    kind: Literal["streamable-http"] = "streamable-http"

    def __init__(self, endpoint: Endpoint, *, session_id: str | None = None, version: str | None = None) -> None:
        self._endpoint = endpoint
        self.session_id = session_id
        self.version = version

    async def exchange(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> bool:
        """POST a request; see `Transport`."""
        answer = await self._post(message, headers, timeout_s)
        try:
            kind = _kind_of(answer)
            if answer.status in (202, 204):
                return False
            if kind == "text/event-stream":
                await self._follow(answer, cast("RequestId", message["id"]), timeout_s, deliver)
                return False
            if kind != "application/json":
                raise ProtocolFailure(f"the server answered with {kind[:80] or 'no content type'} instead of JSON")
            for each in parse_messages(await answer.read(MAX_ANSWER_BYTES)):
                deliver(each)
            return False
        finally:
            await answer.close()

    async def send(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> None:
        """POST what has no answer; see `Transport`."""
        answer = await self._post(message, headers, timeout_s)
        await answer.close()

    def listen(self, deliver: Deliver, opened: Callable[[], None], ended: Callable[[str], None]) -> Awaitable[None]:
        """Open the stream of the session; see `Transport`."""
        return self._listen(deliver, opened)

    async def _listen(self, deliver: Deliver, opened: Callable[[], None]) -> None:
        last_event, idle = "", 0
        while idle <= MAX_RESUMES:
            try:
                answer = await self._get(last_event, 60)
            except (HttpRefusal, SessionLost):
                return
            opened()
            reader = EventReader(answer)
            try:
                async with aclosing(reader.events()) as events:
                    async for event in events:
                        idle = 0
                        if event.data and event.event == "message":
                            for each in parse_messages(event.data):
                                deliver(each)
            except FetchFailed:
                pass
            finally:
                await answer.close()
            last_event, idle = reader.last_event_id or last_event, idle + 1
            await self._endpoint.clock.sleep(reader.retry_ms * idle / 1000)

    async def close(self, *, ends_session: bool) -> None:
        """End the session; see `Transport`."""
        if ends_session and self.session_id is not None:
            answer = await self._endpoint.request("DELETE", self._endpoint.url, self._session_headers(), None, 5)
            await answer.close()
        self.session_id = None

    # Requests

    def _session_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self.version is not None:
            headers[VERSION_HEADER] = self.version
        if self.session_id is not None:
            headers[SESSION_HEADER] = self.session_id
        return headers

    async def _post(self, message: Params, headers: Mapping[str, str], timeout_s: float) -> HttpAnswer:
        given = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **self._session_headers(),
            **headers,
        }
        answer = await self._endpoint.request("POST", self._endpoint.url, given, dumps(message).encode(), timeout_s)
        await self._check(answer)
        if message.get("method") == "initialize":
            try:
                self.session_id = _session_id(answer)
            except ProtocolFailure:
                await answer.close()
                raise
        return answer

    async def _get(self, last_event: str, timeout_s: float) -> HttpAnswer:
        given = {"accept": "text/event-stream", **self._session_headers()}
        if last_event:
            given[LAST_EVENT_HEADER] = last_event
        answer = await self._endpoint.request("GET", self._endpoint.url, given, None, timeout_s)
        await self._check(answer)
        if _kind_of(answer) != "text/event-stream":
            await answer.close()
            raise HttpRefusal(answer.status, None, "it opens no stream")
        return answer

    async def _check(self, answer: HttpAnswer) -> None:
        if 200 <= answer.status < 300:
            return
        if answer.status == 404 and self.session_id is not None:
            await answer.close()
            raise SessionLost
        raise await refusal(answer)

    async def _follow(self, answer: HttpAnswer, request_id: RequestId, timeout_s: float, deliver: Deliver) -> None:
        """Deliver the events of a stream up to the answer, resuming the stream when it ends too early."""
        last_event, fruitless = "", 0
        while True:
            reader = EventReader(answer)
            failure: FetchFailed | None = None
            try:
                async with aclosing(reader.events()) as events:
                    async for event in events:
                        if event.event == "message" and event.data and _deliver_all(event.data, request_id, deliver):
                            return
            except FetchFailed as error:
                failure = error
            finally:
                await answer.close()
            fruitless = 0 if reader.last_event_id not in ("", last_event) else fruitless + 1
            last_event = reader.last_event_id or last_event
            if not last_event or fruitless > MAX_RESUMES or is_modern(self.version):
                raise failure or ProtocolFailure("the server ended the stream before it answered")
            answer = await self._resumed(last_event, reader.retry_ms, timeout_s)

    async def _resumed(self, last_event: str, wait_ms: int, timeout_s: float) -> HttpAnswer:
        for attempt in range(MAX_RESUMES + 1):
            await self._endpoint.clock.sleep(wait_ms * (attempt + 1) / 1000)
            try:
                return await self._get(last_event, timeout_s)
            except FetchFailed:
                if attempt == MAX_RESUMES:
                    raise
        raise ProtocolFailure("the stream could not be resumed")


class EventReader:
    """The events of one answer, bounded.

    Attributes:
        last_event_id: the last id that was seen.
        retry_ms: how long to wait before the stream is opened again.
    """

    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer
        self._decoder = SseDecoder(MAX_ANSWER_BYTES)
        self.retry_ms = DEFAULT_RETRY_MS

    @property
    def last_event_id(self) -> str:
        """The last id that was seen; empty before the first one."""
        return self._decoder.last_event_id

    async def events(self) -> AsyncGenerator[SseEvent]:
        """The events as they come. FetchFailed: the stream broke off."""
        total = 0
        async with aclosing(self._answer.chunks()) as chunks:
            async for chunk in chunks:
                total += len(chunk)
                if total > MAX_STREAM_BYTES:
                    raise ProtocolFailure(f"the server sent more than {MAX_STREAM_BYTES:,} bytes on one stream")
                for event in self._decoder.feed(chunk):
                    if event.retry_ms is not None:
                        self.retry_ms = min(event.retry_ms, MAX_RETRY_MS)
                    yield event


async def refusal(answer: HttpAnswer) -> HttpRefusal:
    """An answer with an error status, as an exception."""
    try:
        body = await answer.read(MAX_ERROR_BYTES)
    except FetchFailed:
        body = b""
    finally:
        await answer.close()
    try:
        (message,) = parse_messages(body)
    except (ProtocolFailure, ValueError):
        message = None
    if isinstance(message, Response) and message.error is not None:
        return HttpRefusal(answer.status, message.error, "")
    is_text = _kind_of(answer) in ("text/plain", "application/json")
    return HttpRefusal(answer.status, None, error_text(body[:200].decode(errors="replace")) if is_text else "")


def _deliver_all(data: str, request_id: RequestId, deliver: Deliver) -> bool:
    """Whether the answer to `request_id` was among the messages."""
    is_answered = False
    for message in parse_messages(data):
        deliver(message)
        is_answered = is_answered or (isinstance(message, Response) and message.id == request_id)
    return is_answered


def parse_messages(data: bytes | str) -> list[Message]:
    """The messages in a body. Servers of 2025-03-26 may send several as a list."""
    try:
        found = loads(data.decode() if isinstance(data, bytes) else data)
        return [parse_message(each) for each in (found if isinstance(found, list) else [found])]
    except ValueError as error:
        raise ProtocolFailure(f"the server sent what is no JSON: {error}") from error
    except McpError as error:
        raise ProtocolFailure(f"the server sent what is no message: {error}") from error


def _kind_of(answer: HttpAnswer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _session_id(answer: HttpAnswer) -> str | None:
    session = answer.headers.get(SESSION_HEADER)
    if session is None:
        return None
    if not session or len(session) > MAX_SESSION_ID_CHARS or not all("!" <= char <= "~" for char in session):
        raise ProtocolFailure("the server gave a session id that is none")
    return session
