"""A client over real HTTP that shows each event as it comes, and whose connections can be cut."""

from __future__ import annotations

import http.client
import json
from collections import deque
from typing import Any

from agents_runtime.mcp.protocol.sse import SseDecoder, SseEvent

WAIT_S = 15.0
BOTH = "application/json, text/event-stream"


class RawStream:
    """The events of one response."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self._connection = connection
        self._response = response
        self._decoder = SseDecoder()
        self._events: deque[SseEvent] = deque()

    def next(self) -> SseEvent | None:
        """The next event; None at the end, however that comes."""
        while not self._events:
            try:
                chunk = self._response.read1(65536)
            except (ConnectionError, http.client.HTTPException):
                return None
            if not chunk:
                return None
            self._events.extend(self._decoder.feed(chunk))
        return self._events.popleft()

    def messages(self) -> list[Any]:
        found = []
        while (event := self.next()) is not None:
            if event.data:
                found.append(json.loads(event.data))
        return found

    def text(self) -> str:
        return self._response.read().decode()

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class RawClient:
    """One session of one client."""

    def __init__(self, port: int, path: str = "/session") -> None:
        self.port = port
        self.path = path
        self.session_id = ""
        self._ids = 0
        self._streams: list[RawStream] = []

    def close(self) -> None:
        """Cut every connection."""
        for stream in self._streams:
            stream.close()

    def send(self, body: Any, method: str = "POST", **headers: str) -> RawStream:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        given = {"accept": BOTH, "content-type": "application/json", "host": f"localhost:{self.port}"}
        if self.session_id:
            given |= {"mcp-session-id": self.session_id, "mcp-protocol-version": "2025-11-25"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, self.path, None if body is None else json.dumps(body), given)
        try:
            stream = RawStream(connection, connection.getresponse())
        except BaseException:
            connection.close()
            raise
        self._streams.append(stream)
        return stream

    def initialize(self) -> None:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        stream = self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        assert stream.status == 200, stream.text()
        self.session_id = stream._response.headers["mcp-session-id"]
        stream.messages()

    def call(self, name: str, **arguments: Any) -> RawStream:
        self._ids += 1
        params = {"name": name, "arguments": arguments, "_meta": {"progressToken": self._ids}}
        return self.send({"jsonrpc": "2.0", "id": self._ids, "method": "tools/call", "params": params})

    def listen(self, last_event_id: str | None = None) -> RawStream:
        headers = {} if last_event_id is None else {"last_event_id": last_event_id}
        return self.send(None, "GET", accept="text/event-stream", **headers)

    def modern(self, method: str, **params: Any) -> Any:
        """A request of the modern era, by a client that knows tasks; its response."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {
                "elicitation": {},
                "extensions": {"io.modelcontextprotocol/tasks": {}},
            },
        }
        self._ids += 1
        body = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": {**params, "_meta": meta}}
        name = params.get("name") or params.get("taskId") or ""
        kept, self.session_id = self.session_id, ""
        try:
            stream = self.send(body, mcp_protocol_version="2026-07-28", mcp_method=method, mcp_name=name)
        finally:
            self.session_id = kept
        text = stream.text()
        stream.close()
        return json.loads(text)
