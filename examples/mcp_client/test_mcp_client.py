"""The hub in a test: the servers are those of the project itself, and everybody is evicted before every event."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

PROJECT = Path(__file__).parent
HOST = "http://localhost"


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    runtime.serve_http("localhost", runtime.fetch)
    return runtime


async def servers_of(project):
    client = await project.connect("/agents/hub/ada")
    frame = await client.expect("cf_agent_mcp_servers")
    await client.close()
    return frame["mcp"]


async def call(project, method, *arguments):
    client = await project.connect("/agents/hub/ada")
    return await client.call(method, *arguments)


async def the_server(project):
    [(server_id, server)] = (await servers_of(project))["servers"].items()
    return server_id, server


async def decide(project, auth_url, decision):
    """What a person in a browser does; where the browser is sent at last."""
    page = await (await project.fetch(auth_url)).text()
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)">', page)}
    answer = await project.fetch(
        f"{HOST}/vault/authorization", method="POST", body=urlencode({**fields, "decision": decision})
    )
    return await project.fetch(answer.headers["location"])


async def test_the_hub_uses_a_server_for_everybody(project):
    assert await call(project, "join", "words", f"{HOST}/words/mcp") == "ready"
    known = await servers_of(project)
    assert [tool["name"] for tool in known["tools"]] == ["count", "shout"]
    server_id, _ = await the_server(project)
    result = await call(project, "run", server_id, "count", {"text": "to be or not"})
    assert result["structuredContent"] == {"words": 4, "letters": 9}


async def test_a_person_lets_the_hub_in_and_everybody_dies_on_the_way(project):
    assert await call(project, "join", "vault", f"{HOST}/vault/mcp") == "authenticating"
    await project.restart(crash=True)
    server_id, server = await the_server(project)
    back = await decide(project, server["auth_url"], "yes")
    assert back.headers["location"] == "/?name=ada"
    await project.restart(crash=True)
    result = await call(project, "run", server_id, "look", {})
    assert result["content"][0]["text"] == "In the chest there are 42 gold coins of Ada."
    assert (await the_server(project))[1]["state"] == "ready"


async def test_a_person_keeps_the_hub_out(project):
    await call(project, "join", "vault", f"{HOST}/vault/mcp")
    _, server = await the_server(project)
    back = await decide(project, server["auth_url"], "no")
    assert "error=" in back.headers["location"]
    assert (await the_server(project))[1]["state"] == "failed"


async def test_a_code_is_good_for_one_token_of_one_client(project):
    await call(project, "join", "vault", f"{HOST}/vault/mcp")
    _, server = await the_server(project)
    page = await (await project.fetch(server["auth_url"])).text()
    assert "The hub of ada" in page
    asked = dict(parse_qsl(urlsplit(server["auth_url"]).query))
    form = urlencode({**asked, "decision": "yes"})
    answer = await project.fetch(f"{HOST}/vault/authorization", method="POST", body=form)
    code = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]
    stolen = urlencode({**asked, "code": code, "code_verifier": "guessed", "grant_type": "authorization_code"})
    refused = await project.fetch(f"{HOST}/vault/token", method="POST", body=stolen)
    assert refused.status == 400


async def test_the_vault_is_closed_to_others(project):
    answer = await project.fetch(f"{HOST}/vault/mcp", method="POST", body="{}")
    assert answer.status == 401
    assert (await project.fetch("/agents/accounts/all")).status == 404
    unknown = await project.fetch(f"{HOST}/vault/authorization?client_id=x&redirect_uri=https://evil.test/")
    assert unknown.status == 400


async def test_a_server_is_left(project):
    await call(project, "join", "words", f"{HOST}/words/mcp")
    server_id, _ = await the_server(project)
    await call(project, "leave", server_id)
    assert (await servers_of(project))["servers"] == {}
