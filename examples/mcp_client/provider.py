"""An authorization server for the example, and the MCP server that it protects. Whoever sits at the browser is Ada."""

from __future__ import annotations

import base64
import hashlib
import secrets
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from agents_runtime import Agent, McpServer, create_mcp_handler, get_agent_by_name, get_mcp_auth_context
from workers import Response

FIELDS = ("client_id", "redirect_uri", "code_challenge", "scope", "state", "resource")
KEPT = 100
"""Of clients, codes and tokens each: anybody may register."""


class Accounts(Agent):
    """What the provider knows, in a database: a kill between two steps of an authorization costs nothing."""

    initial_state = {"clients": {}, "codes": {}, "tokens": {}}

    def register(self, name, redirect_uris):
        client_id = secrets.token_urlsafe(12)
        self.keep("clients", client_id, {"name": name, "redirect_uris": redirect_uris})
        return client_id

    def client_of(self, asked):
        """The client that asks for consent, if it is one, and comes from where it said it would."""
        client = self.state["clients"].get(asked.get("client_id"))
        return client if client and asked.get("redirect_uri") in client["redirect_uris"] else None

    def issue_code(self, asked):
        code = secrets.token_urlsafe(24)
        self.keep("codes", code, asked)
        return code

    def redeem(self, given):
        """Take a code, once, from the client that it was given to, and give a token for it."""
        codes = dict(self.state["codes"])
        asked = codes.pop(given.get("code"), None)
        self.set_state({**self.state, "codes": codes})
        verifier = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = {**given, "code_challenge": base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()}
        same = ("client_id", "redirect_uri", "resource", "code_challenge")
        if asked is None or any(proof.get(name) != asked[name] for name in same):
            return None
        token = secrets.token_urlsafe(24)
        self.keep("tokens", hashlib.sha256(token.encode()).hexdigest(), {"name": "Ada", "client": asked["client_id"]})
        return token

    def owner_of(self, token):
        return self.state["tokens"].get(hashlib.sha256(token.encode()).hexdigest())

    def keep(self, kind, key, value):
        kept = [*self.state[kind].items(), (key, value)]
        self.set_state({**self.state, kind: dict(kept[-KEPT:])})


async def authorize(request):
    """Answer what clients and browsers ask an authorization server; None for any other path."""
    url = urlsplit(request.url)
    origin = f"{url.scheme}://{url.netloc}"
    accounts = await get_agent_by_name(Accounts, "all")
    match request.method, url.path:
        case "GET", "/.well-known/oauth-protected-resource/vault/mcp":
            return Response.json({"resource": f"{origin}/vault/mcp", "authorization_servers": [origin]})
        case "GET", "/.well-known/oauth-authorization-server":
            ends = {f"{end}_endpoint": f"{origin}/vault/{end}" for end in ("authorization", "token", "registration")}
            promises = {"code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"]}
            iss = {"authorization_response_iss_parameter_supported": True}
            return Response.json({"issuer": origin, **ends, **promises, **iss})
        case "POST", "/vault/registration":
            asked = await request.json()
            client_id = await accounts.register(str(asked.get("client_name"))[:80], asked["redirect_uris"])
            told = {"client_id": client_id, "redirect_uris": asked["redirect_uris"]}
            return Response.json({**told, "token_endpoint_auth_method": "none"}, status=201)
        case (("GET" | "POST"), "/vault/authorization"):
            return await ask_for_consent(request, accounts, origin)
        case "POST", "/vault/token":
            token = await accounts.redeem(dict(parse_qsl(await request.text())))
            if token is None:
                return Response.json({"error": "invalid_grant"}, status=400)
            return Response.json({"access_token": token, "token_type": "Bearer"})
    return None


async def ask_for_consent(request, accounts, origin):
    """Show a page with two buttons; or, when one was pressed, send the browser back to the client."""
    given = await request.text() if request.method == "POST" else urlsplit(request.url).query
    fields = dict(parse_qsl(given))
    asked = {name: fields.get(name, "") for name in FIELDS}
    client = await accounts.client_of(asked)
    if client is None or not asked["code_challenge"]:
        return Response("This client is not known here.", status=400)  # never send a browser where nobody registered
    if request.method == "GET":
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in FIELDS)
        return html(PAGE.format(client=escape(client["name"]), hidden=hidden))
    yes = fields.get("decision") == "yes"
    answer = {"code": await accounts.issue_code(asked)} if yes else {"error": "access_denied"}
    query = urlencode({**answer, "state": asked["state"], "iss": origin})
    return Response(None, status=303, headers={"location": f"{asked['redirect_uri']}?{query}"})


def html(text):
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": "frame-ancestors 'none'"}
    return Response(text, headers=headers)


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>The vault</title>
<link rel="icon" href="data:,">
<style>body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 12vh auto; padding: 0 16px; }}
button {{ font: inherit; padding: 8px 18px; margin: 14px 8px 0 0; border-radius: 12px; cursor: pointer; }}</style>
<main><h1>The vault</h1><p>Ada, do you let “{client}” open your vault?</p>
<form method="post" action="/vault/authorization">{hidden}
<button name="decision" value="yes">Let it in</button>
<button name="decision" value="no">Keep it out</button></form></main>"""


async def who(request):
    """Who sends a request to the vault, or where to get the consent that it lacks."""
    token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
    owner = await (await get_agent_by_name(Accounts, "all")).owner_of(token)
    if owner is not None:
        return owner
    url = urlsplit(request.url)
    metadata = f"{url.scheme}://{url.netloc}/.well-known/oauth-protected-resource/vault/mcp"
    return Response(
        "", status=401, headers={"www-authenticate": f'Bearer scope="look", resource_metadata="{metadata}"'}
    )


treasure = McpServer("vault", "1.0.0")


@treasure.tool
async def look(inside: str = "the chest") -> str:
    """Look into something in the vault."""
    owner = get_mcp_auth_context()
    return f"In {inside} there are 42 gold coins of {owner.props['name'] if owner else 'nobody'}."


vault = create_mcp_handler(treasure, route="/vault/mcp", auth=who)
