"""A plain client of the protocol's legacy revisions, for tests: it shows each status, header and event as it came."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from agents_runtime.mcp.protocol.sse import SseDecoder, SseEvent

WAIT_S = 5.0
BOTH = "application/json, text/event-stream"
ORIGIN = "http://localhost"


class Stream:
    """The events of a response, one by one."""

    def __init__(self, response: Any) -> None:
        self.status = response.status
        self.headers = response.headers
        self._body: Any = aiter(response.body) if response.body is not None else None
        self._decoder = SseDecoder()
        self._events: deque[SseEvent] = deque()
        self.comments = 0

    async def next(self) -> SseEvent | None:
        """The next event; None at the end of the stream."""
        async with asyncio.timeout(WAIT_S):
            while not self._events:
                chunk = await anext(self._body, None)
                if chunk is None:
                    return None
                data = bytes(chunk)
                self.comments += data.count(b": keepalive")
                self._events.extend(self._decoder.feed(data))
        return self._events.popleft()

    async def message(self) -> Any:
        """The next message, past events that carry none; None at the end."""
        while (event := await self.next()) is not None:
            if event.data:
                return json.loads(event.data)
        return None

    async def messages(self) -> list[Any]:
        """All messages until the end."""
        found = []
        while (message := await self.message()) is not None:
            found.append(message)
        return found

    async def close(self) -> None:
        """Go away, as a client does whose connection is lost."""
        await self._body.aclose()


class Client:
    """One client of one endpoint."""

    def __init__(self, runtime: Any, path: str = "/mcp", *, version: str = "2025-11-25") -> None:
        self.runtime = runtime
        self.path = path
        self.version = version
        self.session_id: str | None = None
        self._ids = 0

    async def send(self, body: Any, *, method: str = "POST", path: str | None = None, **headers: str) -> Any:
        """One request, with the usual headers; `accept=""` leaves one out."""
        given = {
            "accept": BOTH,
            "content-type": "application/json",
            "mcp-session-id": self.session_id or "",
            "mcp-protocol-version": self.version if self.session_id else "",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        text = body if isinstance(body, str) else json.dumps(body)
        return await self.runtime.fetch(
            ORIGIN + (path or self.path),
            method=method,
            headers={name: value for name, value in given.items() if value},
            body=text if method == "POST" else None,
        )

    async def initialize(self, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
        """Open a session; its result."""
        params = {
            "protocolVersion": self.version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        response = await self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        stream = Stream(response)
        message = await stream.message()
        assert response.status == 200, message
        self.session_id = response.headers["mcp-session-id"]
        accepted = await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert accepted.status == 202
        return message["result"]

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        self._ids += 1
        return {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params or {}}

    async def open(self, method: str, params: dict[str, Any] | None = None) -> Stream:
        """Send a request; the stream of its answer."""
        return await self.open_request(self.request(method, params))

    async def open_request(self, request: dict[str, Any]) -> Stream:
        """Send a request as it is; the stream of its answer."""
        return Stream(await self.send(request))

    async def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Send a request; its response."""
        return (await (await self.open(method, params)).messages())[-1]

    async def tool(self, name: str, **arguments: Any) -> Any:
        """Call a tool; its result."""
        response = await self.call("tools/call", {"name": name, "arguments": arguments})
        return response.get("result", response)

    async def listen(self, last_event_id: str | None = None) -> Stream:
        """Open the GET stream."""
        response = await self.send(None, method="GET", accept="text/event-stream", last_event_id=last_event_id or "")
        return Stream(response)
