"""A person lets an agent in at an MCP server while one SDK runs it, and comes back while the other one does."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.mcp.provider import Provider
from tests.workerd.test_interchange import BOTH_WAYS, Sides, bundle_folder

__all__ = ["bundle_folder"]

APP = "http://app.test"


@pytest.fixture
def sides(workerd_tools, bundle_folder, tmp_path):
    return Sides(workerd_tools, bundle_folder, tmp_path)


@contextmanager
def listening(provider):
    """The provider, in a thread of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    over = asyncio.Event()

    async def serve():
        async with provider.listening():
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield provider.mcp_url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def ready(call):
    """What the server is like, when it is ready or after some seconds."""
    found = None
    for _ in range(60):
        (found,) = call(("server",))
        if found[0] == "ready":
            break
        time.sleep(0.1)
    return found


def come_back(port, url):
    with httpx.Client(trust_env=False, timeout=10) as browser:
        answer = browser.get(url.replace(APP, f"http://127.0.0.1:{port}"), headers={"host": "app.test"})
    assert answer.status_code == 302, answer.text


@BOTH_WAYS
def test_one_side_sends_the_person_away_and_the_other_one_lets_them_back(sides, first, second):
    provider = Provider()
    with listening(provider) as url:
        with sides.running(first) as call:
            (joined,) = call(("join", url, APP))
            assert joined["state"] == "authenticating"
        back = asyncio.run(provider.consent(joined["authUrl"]))
        with sides.running(second) as call:
            assert call(("server",))[0][:2] == ["authenticating", joined["authUrl"]]
            come_back(sides.port, back)
            assert ready(call) == ["ready", None, ["purge", "whoami"]]
            assert call(("use", "whoami")) == ["whoami done"]
        with sides.running(first) as call:
            assert ready(call) == ["ready", None, ["purge", "whoami"]]
            assert call(("use", "whoami")) == ["whoami done"]
            provider.expire_tokens()
            assert call(("use", "whoami")) == ["whoami done"]
        with sides.running(second) as call:
            assert call(("use", "whoami")) == ["whoami done"]
        assert len(provider.clients) == 1
        kinds = [seen.fields["grant_type"] for seen in provider.requests_to("/token")]
        assert kinds == ["authorization_code", "refresh_token"]
