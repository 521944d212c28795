"""An authorization server and an MCP server that it protects, offline, with switches for odd and hostile behaviour.

`Provider.handle` takes and gives plain values. It answers a test runtime
(`runtime.serve_http(host, provider.serve)`) or listens on this machine (`async with provider.listening()`). It keeps a
list of every request.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote_plus, urlencode, urlsplit

HOST = "provider.test"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Quirks:
    """How it behaves. The defaults are those of an honest, modern provider.

    Attributes:
        hint: tells in the challenge where its metadata is.
        resource_path: where the resource's metadata is; None: nowhere.
        server_path: where the authorization server's metadata is; None: nowhere.
        issuer_path: the path of the issuer.
        resource, issuer, iss: what it says instead of the truth. `iss=None` says nothing.
        advertises_iss: whether it promises to name itself.
        extra: fields added to the authorization server's metadata; None takes one out.
        basic: the scopes of ordinary requests; `admin` is what the tool `purge` needs.
        scope_challenge: names the scopes in the challenge.
        lifetime_s: how long a token is good for.
        rotates: every refresh gives a new refresh token, and the old one ends.
        refreshes: gives refresh tokens at all.
        always_forbids: wants more scopes whatever was granted.
        registers: lets clients register.
        refuses_registration: the error it has for those who try.
        fails: `(path, status)`: answers requests to a path with a status.
        redirects: `{path: location}`.
        bodies: `{path: bytes}`: answers a path with something else altogether.
        modern: understands the modern era.
    """

    hint: bool = True
    resource_path: str | None = "/.well-known/oauth-protected-resource/mcp"
    server_path: str | None = "/.well-known/oauth-authorization-server"
    issuer_path: str = ""
    resource: str | None = None
    issuer: str | None = None
    iss: str | None = "correct"
    advertises_iss: bool = True
    extra: dict[str, Any] = field(default_factory=dict)
    basic: tuple[str, ...] = ("basic",)
    scope_challenge: bool = True
    lifetime_s: float = 3600
    rotates: bool = True
    refreshes: bool = True
    always_forbids: bool = False
    registers: bool = True
    refuses_registration: dict[str, Any] | None = None
    fails: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    modern: bool = True


@dataclass
class Seen:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    fields: dict[str, Any]


@dataclass
class Grant:
    client_id: str
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    resource: str | None


class Provider:
    """One provider.

    Args:
        now_s: the time by which tokens expire.
        base: where it is.
    """

    def __init__(
        self, quirks: Quirks | None = None, now_s: Callable[[], float] = time.time, base: str = f"https://{HOST}"
    ) -> None:
        self.quirks = quirks or Quirks()
        self.now_s = now_s
        self.base = base
        self.seen: list[Seen] = []
        self.clients: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, Grant] = {}
        self.tokens: dict[str, tuple[tuple[str, ...], float]] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.calls: list[str] = []
        self.deadly: Callable[[Seen], tuple[bool, Callable[[], None]] | None] = lambda seen: None
        """None, or for a request whether it still takes effect, and what ends whoever asks before the answer."""
        self._numbers = itertools.count(1)

    # What tests ask

    @property
    def mcp_url(self) -> str:
        return f"{self.base}/mcp"

    @property
    def issuer(self) -> str:
        return self.quirks.issuer or f"{self.base}{self.quirks.issuer_path}"

    def requests_to(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def secrets(self) -> list[str]:
        """Everything that must never be told: tokens, codes, secrets of clients."""
        own = [secret for client in self.clients.values() if (secret := client.get("client_secret"))]
        return [*self.codes, *self.tokens, *self.refresh_tokens, *own]

    def expire_tokens(self) -> None:
        self.tokens = {token: (scopes, 0.0) for token, (scopes, _) in self.tokens.items()}

    def revoke(self) -> None:
        self.tokens, self.refresh_tokens = {}, {}

    async def consent(self, auth_url: str, *, approves: bool = True) -> str:
        """Do what a person in a browser does; returns where the browser is sent then."""
        query = f"{urlsplit(auth_url).query}&decision={'approve' if approves else 'deny'}"
        status, headers, body = await self.handle("GET", f"{auth_url.partition('?')[0]}?{query}", {}, b"")
        assert status == 302, (status, body)
        return headers["location"]

    # Serving

    async def serve(self, request: Any) -> Any:
        """Answer as a test runtime's HTTP handler."""
        from workers import Response

        body = await request.buffer()
        status, headers, answer = await self.handle(request.method, request.url, dict(request.headers), bytes(body))
        return Response(answer, status=status, headers=headers)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Listen on this machine; gives the address of the MCP server."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", port)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self.mcp_url
        finally:
            server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = (line.partition(":") for line in head[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, given, answer = await self.handle(method, f"{self.base}{target}", headers, body)
            lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in given.items())]
            lines += [f"content-length: {len(answer)}", "connection: close", "", ""]
            writer.write("\r\n".join(lines).encode("latin-1") + answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def handle(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer a request."""
        parts = urlsplit(url)
        path = parts.path
        self.seen.append(Seen(method, path, headers, _fields(parts.query, headers, body)))
        death = self.deadly(self.seen[-1])
        if death is not None:
            takes_effect, kill = death
            if takes_effect:
                self._reply(method, path, parts.query, headers, body)
            kill()
            raise ConnectionAbortedError("nobody is there for the answer")
        return self._reply(method, path, parts.query, headers, body)

    def _reply(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply:
        fields = self.seen[-1].fields
        if path in self.quirks.fails:
            return _json(self.quirks.fails[path], {"error": "server_error"})
        if path in self.quirks.redirects:
            return 302, {"location": self.quirks.redirects[path]}, b""
        if path in self.quirks.bodies:
            return 200, {"content-type": "application/json"}, self.quirks.bodies[path]
        if path == "/mcp":
            return self._mcp(method, headers, body)
        if path == self.quirks.resource_path:
            return _json(200, self._resource_metadata())
        if path == self.quirks.server_path:
            return _json(200, self._server_metadata())
        if path == "/register" and method == "POST" and self.quirks.registers:
            return self._register(fields)
        if path == "/authorize" and method == "GET":
            return self._authorize(fields, query)
        if path == "/token" and method == "POST":
            return self._token(fields, headers)
        return _json(404, {"error": "not_found"})

    # The authorization server

    def _resource_metadata(self) -> dict[str, Any]:
        resource = self.quirks.resource or self.mcp_url
        scopes = list(self.quirks.basic)
        named = f"{self.base}{self.quirks.issuer_path}"
        return {"resource": resource, "authorization_servers": [named], "scopes_supported": scopes}

    def _server_metadata(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.quirks.advertises_iss,
            **self.quirks.extra,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _register(self, fields: dict[str, Any]) -> Reply:
        if self.quirks.refuses_registration is not None:
            return _json(400, self.quirks.refuses_registration)
        client_id = f"client-{next(self._numbers)}"
        client = {"client_id": client_id, "redirect_uris": fields["redirect_uris"]}
        if fields.get("token_endpoint_auth_method") in ("client_secret_basic", "client_secret_post"):
            client["client_secret"] = f"client-secret-{client_id}"
            client["token_endpoint_auth_method"] = fields["token_endpoint_auth_method"]
        self.clients[client_id] = client
        return _json(201, client)

    def _authorize(self, fields: dict[str, Any], query: str) -> Reply:
        client, redirect_uri = self.clients.get(fields.get("client_id", "")), fields.get("redirect_uri", "")
        is_document = fields.get("client_id", "").startswith("https://")
        if not is_document and (client is None or redirect_uri not in client["redirect_uris"]):
            return _json(400, {"error": "invalid_client"})
        if fields.get("response_type") != "code" or fields.get("code_challenge_method") != "S256":
            return _json(400, {"error": "invalid_request"})
        if "decision" not in fields:
            page = (
                f"<!doctype html><title>Consent</title><h1>Let this agent in?</h1><p>It asks for: "
                f"{fields.get('scope', 'nothing in particular')}</p>"
                f'<p><a id="approve" href="?{_safe(query)}&amp;decision=approve">Approve</a> '
                f'<a id="deny" href="?{_safe(query)}&amp;decision=deny">Deny</a></p>'
            )
            return 200, {"content-type": "text/html;charset=utf-8"}, page.encode()
        back = {"state": fields.get("state", "")}
        if fields["decision"] == "approve":
            code = f"code-{next(self._numbers)}-{hashlib.sha256(query.encode()).hexdigest()[:8]}"
            scopes = tuple(fields.get("scope", "").split())
            grant = Grant(fields["client_id"], redirect_uri, fields["code_challenge"], scopes, fields.get("resource"))
            self.codes[code] = grant
            back["code"] = code
        else:
            back |= {"error": "access_denied", "error_description": "The person said no"}
        if self.quirks.iss is not None:
            back["iss"] = self.issuer if self.quirks.iss == "correct" else self.quirks.iss
        joint = "&" if "?" in redirect_uri else "?"
        return 302, {"location": f"{redirect_uri}{joint}{urlencode(back)}"}, b""

    def _token(self, fields: dict[str, Any], headers: dict[str, str]) -> Reply:
        client_id, secret = fields.get("client_id"), fields.get("client_secret")
        if headers.get("authorization", "").startswith("Basic "):
            pair = base64.b64decode(headers["authorization"][6:]).decode().split(":")
            client_id, secret = unquote_plus(pair[0]), unquote_plus(pair[1])
        known = self.clients.get(str(client_id))
        if not str(client_id).startswith("https://") and (known is None or known.get("client_secret") != secret):
            return _json(401, {"error": "invalid_client", "error_description": f"{client_id} {secret}"})
        kind = fields.get("grant_type")
        if kind == "client_credentials":
            return self._issue(Grant(str(client_id), "", "", tuple(fields.get("scope", "").split()), None), False)
        if kind == "refresh_token":
            grant = self.refresh_tokens.get(fields.get("refresh_token", ""))
            if grant is None or grant.client_id != client_id:
                return _json(400, {"error": "invalid_grant", "error_description": fields.get("refresh_token")})
            if self.quirks.rotates:
                del self.refresh_tokens[fields["refresh_token"]]
            return self._issue(grant, self.quirks.rotates)
        grant = self.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if (
            grant is None
            or grant.client_id != client_id
            or grant.redirect_uri != fields.get("redirect_uri")
            or grant.challenge != base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            or grant.resource != fields.get("resource")
        ):
            return _json(400, {"error": "invalid_grant", "error_description": str(fields)})
        return self._issue(grant, self.quirks.refreshes)

    def _issue(self, grant: Grant, refreshable: bool) -> Reply:
        number = next(self._numbers)
        token = f"access-{number}"
        self.tokens[token] = (grant.scopes, self.now_s() + self.quirks.lifetime_s)
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "scope": " ".join(grant.scopes)}
        answer["expires_in"] = int(self.quirks.lifetime_s)
        if refreshable:
            answer["refresh_token"] = f"refresh-{number}"
            self.refresh_tokens[answer["refresh_token"]] = grant
        return _json(200, answer)

    # The MCP server

    def _challenge(self, status: int, scopes: tuple[str, ...], error: str | None = None) -> Reply:
        given = []
        if error is not None:
            given.append(f'error="{error}"')
        if self.quirks.scope_challenge or status == 403:
            given.append(f'scope="{" ".join(scopes)}"')
        if self.quirks.hint and self.quirks.resource_path is not None:
            given.append(f'resource_metadata="{self.base}{self.quirks.resource_path}"')
        status, headers, body = _json(status, {"error": error or "unauthorized"})
        return status, {**headers, "www-authenticate": "Bearer " + ", ".join(given)}, body

    def _mcp(self, method: str, headers: dict[str, str], body: bytes) -> Reply:
        if method != "POST":
            return 405, {}, b""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        scopes, expires_s = self.tokens.get(token, ((), 0.0))
        if expires_s <= self.now_s():
            return self._challenge(401, self.quirks.basic, "invalid_token" if token else None)
        message = json.loads(body)
        name = (message.get("params") or {}).get("name")
        needed = ("admin",) if name == "purge" else self.quirks.basic
        if message.get("method") == "tools/call" and (self.quirks.always_forbids or not set(needed) <= set(scopes)):
            return self._challenge(403, needed, "insufficient_scope")
        if "id" not in message:
            return 202, {}, b""
        version = headers.get("mcp-protocol-version", LEGACY)
        is_modern = version == MODERN
        if is_modern and not self.quirks.modern:
            return _json(400, _error(message["id"], -32000, "unsupported protocol version"))
        return self._answer(message, name, is_modern)

    def _answer(self, message: dict[str, Any], name: str | None, is_modern: bool) -> Reply:
        method = message["method"]
        tools = [{"name": tool, "inputSchema": {"type": "object"}} for tool in ("whoami", "purge")]
        cached = {"ttlMs": 0, "cacheScope": "private"} if is_modern else {}
        info = {"name": "provider", "version": "1"}
        if method == "initialize":
            result: dict[str, Any] = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "serverInfo": info, **cached}
        elif method == "tools/list":
            result = {"tools": tools, **cached}
        elif method == "tools/call":
            self.calls.append(str(name))
            result = {"content": [{"type": "text", "text": f"{name} done"}]}
        else:
            return _json(404 if is_modern else 200, _error(message["id"], -32601, "Method not found"))
        if is_modern:
            result["resultType"] = "complete"
        return _json(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})


def callback_fields(url: str) -> dict[str, str]:
    """The query of a callback."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _fields(query: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    kind = headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        found |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    elif kind.startswith("application/json") and body:
        found |= json.loads(body)
    return found


def _safe(query: str) -> str:
    return quote(query, safe="=&%+").replace("&", "&amp;")


def _json(status: int, document: object) -> Reply:
    return status, {"content-type": "application/json"}, json.dumps(document).encode()


def _error(request_id: object, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}
