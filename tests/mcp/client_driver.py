"""Does what a scenario of the conformance suite asks of a client, with an agent on a host in memory.

    python tests/mcp/client_driver.py <URL of the scenario's server>

The suite runs it with `--command`. The agent is evicted before every event, and consent is given as a browser would:
by following the address that the agent names and handing the redirect to the agent. Ends with 0 when all was done.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from agents_runtime.local.shim import install

install()

from agents_runtime import Agent, McpOAuthClient, route_agent_request  # noqa: E402 - the shim comes first
from agents_runtime.errors import AgentError  # noqa: E402 - the shim comes first
from agents_runtime.local.host import Host  # noqa: E402 - the shim comes first
from agents_runtime.local.options import HostOptions  # noqa: E402 - the shim comes first
from agents_runtime.local.shim.request import Request  # noqa: E402 - the shim comes first
from agents_runtime.local.shim.response import Response  # noqa: E402 - the shim comes first
from agents_runtime.mcp.client.errors import McpUnauthorized  # noqa: E402 - the shim comes first

CALLBACK_HOST = "http://127.0.0.1:8765"
DOCUMENT = "https://conformance-test.local/client-metadata.json"
MAX_ROUNDS = 8
REFUSED_CALLBACKS = frozenset(
    ("auth/iss-supported-missing", "auth/iss-wrong-issuer", "auth/iss-unexpected", "auth/iss-normalized")
)
"""Scenarios in which the right thing to do is to turn the person away who comes back."""

REFUSED_CONNECTIONS = frozenset(("auth/resource-mismatch", "auth/metadata-issuer-mismatch", "auth/scope-retry-limit"))
"""Scenarios in which the right thing to do is not to ask anybody, or not to ask again."""

GUESSES: dict[str, Any] = {"string": "x", "integer": 1, "number": 1.5, "boolean": True, "object": {}, "array": []}


def scenario() -> str:
    return os.environ.get("MCP_CONFORMANCE_SCENARIO", "")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def context() -> dict[str, Any]:
    found = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    return found if isinstance(found, dict) else {}


def signed(issuer: str) -> str:
    """A JWT that proves the client of a scenario."""
    import jwt

    given, now_s = context(), int(time.time())
    client_id = given["client_id"]
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": now_s, "exp": now_s + 60, "jti": str(now_s)}
    return jwt.encode(claims, given["private_key_pem"], given.get("signing_algorithm", "ES256"))


class Driver(Agent):
    """The client under test."""

    def on_start(self):
        self.mcp.configure_elicitation_handlers(form=self.consent)

    def create_mcp_oauth_provider(self, callback_url, /):
        given = context()
        if "client_id" in given and "private_key_pem" in given:
            return McpOAuthClient(client_id=given["client_id"], client_assertion=signed, grant="client_credentials")
        if "client_id" in given and "client_secret" in given:
            options: Any = {"grant": "client_credentials"} if "client-credentials" in scenario() else {}
            return McpOAuthClient(client_id=given["client_id"], client_secret=given["client_secret"], **options)
        return McpOAuthClient(name="Conformance driver", metadata_url=DOCUMENT)

    def consent(self, request, server_id):
        is_plain = "confirmed" in request.get("requestedSchema", {}).get("properties", {})
        return {"action": "accept", "content": {"confirmed": True} if is_plain else {}}

    async def play(self, url):
        """Do the scenario; returns where a person has to give consent before it goes on."""
        added = await self.add_mcp_server("server", url, CALLBACK_HOST, id="server")
        if added["state"] == "authenticating":
            return added["auth_url"]
        try:
            await self.use()
        except McpUnauthorized as error:
            if error.auth_url is None:
                raise
            return error.auth_url
        return None

    async def use(self):
        calls = context().get("toolCalls")
        if calls is None:
            calls = [{"name": tool["name"], "arguments": self.guess(tool)} for tool in self.mcp.list_tools()]
        if scenario() == "json-schema-ref-no-deref":
            return
        for call in calls:
            await self.mcp.call_tool("server", call["name"], call["arguments"])
        for resource in self.mcp.list_resources():
            await self.mcp.read_resource("server", resource["uri"])
        for prompt in self.mcp.list_prompts():
            await self.mcp.get_prompt("server", prompt["name"])

    def guess(self, tool):
        if tool["name"] == "json_schema_echo":
            tools = {each["name"]: each for each in self.mcp.list_tools()}
            return {"schema": tools["json_schema_2020_12_tool"]["inputSchema"]}
        properties = tool["inputSchema"].get("properties", {})
        return {name: GUESSES.get(field.get("type"), "x") for name, field in properties.items()}


async def entrypoint(request, env, ctx):
    return await route_agent_request(request, env) or Response("Not found", status=404)


async def consent_as_browser(host: Host, auth_url: str) -> None:
    """Visit the address, and follow the redirect back to the agent."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
        answer = await browser.get(auth_url, follow_redirects=False)
    location = answer.headers.get("location", "")
    if not location.startswith(CALLBACK_HOST):
        raise RuntimeError(f"consent was answered with {answer.status_code} and {location[:200]!r}")
    await host.fetch(Request(location))


async def run(url: str) -> int:
    host = Host(HostOptions(evict_before_every_event=True, idle_timeout_s=None))
    namespace = host.bind(Driver)
    host.set_entrypoint(entrypoint)
    await host.start()
    stub = namespace.get(namespace.idFromName("driver"))
    try:
        for _ in range(MAX_ROUNDS):
            auth_url = await stub.cf_agents_internal("call", {"method": "play", "args": [url]})
            if auth_url is None:
                return 0
            await consent_as_browser(host, auth_url)
            listed = await stub.cf_agents_internal("call", {"method": "get_mcp_servers"})
            server = listed["servers"]["server"]
            say(f"after consent: {server['state']} {server['error'] or ''}")
            if server["state"] == "failed" and scenario() in REFUSED_CALLBACKS:
                return 0
        say("the server asks for consent again and again")
        return 1
    except Exception as error:
        if scenario() in REFUSED_CONNECTIONS:
            say(f"refused, as it should be: {error}")
            return 0
        if not isinstance(error, AgentError):
            raise
        say(f"{type(error).__name__}: {error}")
        return 1
    finally:
        await host.stop(1)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[-1])))
