"""An MCP server that a test writes down: what it offers, and how it misbehaves. A handler of `serve_http`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from workers import Response

from agents_runtime import stream_response

ECHO = {"name": "echo", "description": "Say it again.", "inputSchema": {"type": "object", "properties": {"text": {}}}}


class ScriptedServer:
    """A server of one era.

    Attributes:
        seen: every request: `(HTTP method, JSON-RPC method or None, headers, message)`.
        broken: called first with the message; what it returns is the answer, unless it is None.
        tool: answers `tools/call`, with the parameters of the call.
    """

    def __init__(self, version: str = "2025-11-25", *, sessions: bool = True, **offered: list[dict[str, Any]]) -> None:
        self.version = version
        self.sessions = sessions
        self.offered = {"tools": [ECHO], **offered}
        self.seen: list[tuple[str, str | None, dict[str, str], Any]] = []
        self.broken: Callable[[Any], Any] = lambda message: None
        self.tool: Callable[[Any], Any] = lambda params: {
            "content": [{"type": "text", "text": str(params["arguments"])}]
        }
        self.page_size = 2
        self.list_changed = False
        self.streams: list[asyncio.Queue[str | None]] = []
        self._sessions = 0
        self.known_sessions: set[str] = set()

    @property
    def is_modern(self) -> bool:
        return self.version == "2026-07-28"

    def methods(self) -> list[str | None]:
        """The JSON-RPC methods that were asked for, in order."""
        return [method for http_method, method, _, _ in self.seen if http_method == "POST"]

    def requests(self, method: str) -> list[Any]:
        return [message for _, found, _, message in self.seen if found == method]

    async def __call__(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        method = str(request.method.value)
        if method != "POST":
            self.seen.append((method, None, headers, None))
            return await self._other(method, headers)
        message = json.loads(await request.text())
        self.seen.append((method, message.get("method"), headers, message))
        broken = self.broken(message)
        if broken is not None:
            return await broken if asyncio.iscoroutine(broken) else broken
        return self._post(message, headers)

    async def _other(self, method, headers):
        if method == "DELETE":
            self.known_sessions.discard(headers.get("mcp-session-id"))
            return Response(None, status=204)
        if not self.list_changed or self.is_modern:
            return Response("no", status=405)
        return self._stream()

    def _stream(self, *first: dict[str, Any]):
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        for message in first:
            queue.put_nowait(event(message))
        self.streams.append(queue)

        async def chunks():
            while (chunk := await queue.get()) is not None:
                yield chunk

        return stream_response(chunks())

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification on every open stream."""
        for queue in self.streams:
            queue.put_nowait(event({"jsonrpc": "2.0", "method": method, "params": params}))

    def end_streams(self) -> None:
        for queue in self.streams:
            queue.put_nowait(None)
        self.streams.clear()

    def _post(self, message, headers):
        method, params = message.get("method"), message.get("params", {})
        if "id" not in message or method is None:
            return Response(None, status=202)
        if self.is_modern:
            if headers.get("mcp-protocol-version") != self.version:
                return answer(message, error={"code": -32022, "message": "no", "data": {"supported": [self.version]}})
            if method == "subscriptions/listen":
                meta = {"io.modelcontextprotocol/subscriptionId": message["id"]}
                notice = {"notifications": params["notifications"], "_meta": meta}
                return self._stream(
                    {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": notice}
                )
        elif method == "initialize":
            return self._initialized(message)
        elif method == "server/discover":
            return Response("Bad Request", status=400)
        elif self.sessions and headers.get("mcp-session-id") not in self.known_sessions:
            return Response("gone", status=404)
        result = self._result(method, params)
        if result is None:
            error = {"code": -32601, "message": f"Method not found: {method}"}
            return answer(message, error=error, status=404 if self.is_modern else 200)
        return result if isinstance(result, Response) else answer(message, result)

    def _initialized(self, message):
        headers = {}
        if self.sessions:
            self._sessions += 1
            session = f"session-{self._sessions}"
            self.known_sessions.add(session)
            headers["mcp-session-id"] = session
        result = {
            "protocolVersion": self.version,
            "serverInfo": {"name": "scripted", "version": "1"},
            "capabilities": self._capabilities(),
            "instructions": "Be brief.",
        }
        return answer(message, result, headers=headers)

    def _capabilities(self):
        found = {
            kind: {"listChanged": True} if self.list_changed else {} for kind in self.offered if kind != "templates"
        }
        return found | ({"resources": found.get("resources", {})} if "templates" in self.offered else {})

    def _result(self, method, params):
        if method == "server/discover" and self.is_modern:
            return {
                "supportedVersions": [self.version],
                "capabilities": self._capabilities(),
                "instructions": "Be brief.",
                "ttlMs": 0,
                "cacheScope": "private",
            }
        if method == "resources/templates/list":
            return self._page("templates", "resourceTemplates", params)
        kind, _, verb = method.partition("/")
        if verb == "list" and kind in self.offered:
            return self._page(kind, kind, params)
        if method == "tools/call":
            return self.tool(params)
        if method == "resources/read":
            return {"contents": [{"uri": params["uri"], "text": "read"}]}
        if method == "prompts/get":
            return {"messages": [{"role": "user", "content": {"type": "text", "text": params["name"]}}]}
        return None

    def _page(self, kind, field, params):
        start = int(params.get("cursor", 0))
        items = self.offered.get(kind, [])
        result: dict[str, Any] = {field: items[start : start + self.page_size]}
        if start + self.page_size < len(items):
            result["nextCursor"] = str(start + self.page_size)
        return result


def answer(message, result=None, *, error=None, status=200, headers=None):
    """A JSON answer to a request."""
    body = {"jsonrpc": "2.0", "id": message["id"]}
    body |= {"error": error} if error is not None else {"result": result}
    return Response(json.dumps(body), status=status, headers={"content-type": "application/json", **(headers or {})})


def event(message, *, id=None, retry=None):  # noqa: A002 - the field's name
    """A message as a server-sent event."""
    head = "" if id is None else f"id: {id}\n"
    head += "" if retry is None else f"retry: {retry}\n"
    return f"{head}data: {'' if message is None else json.dumps(message)}\n\n"


def events(*chunks, status=200):
    """A stream of finished chunks, which then ends."""

    async def produce():
        for chunk in chunks:
            yield chunk

    return stream_response(produce(), status)
