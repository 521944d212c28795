"""Streamed answers of objects, when the client goes away."""

import pytest

from agents_runtime import stream_response
from agents_runtime._platform.base import DurableObject
from agents_runtime.local.host import Host
from agents_runtime.local.shim import Request

cleaned_up: list[str] = []


class Streamer(DurableObject):
    async def fetch(self, request):
        return stream_response(self.chunks())

    async def chunks(self):
        try:
            yield b"one"
            yield b"two"
        finally:
            cleaned_up.append(self.ctx.id.name)


@pytest.fixture
async def host():
    cleaned_up.clear()
    one = Host()
    one.bind(Streamer)
    await one.start()
    yield one
    await one.stop()


async def test_the_stream_of_an_object_is_closed_before_the_client_is_let_go(host):
    response = await host.env.Streamer.getByName("a").fetch(Request("http://x/"))
    chunks = response.take_body()
    assert await anext(chunks) == b"one"
    await chunks.aclose()
    assert cleaned_up == ["a"]


async def test_a_stream_that_is_read_to_its_end_is_closed_too(host):
    response = await host.env.Streamer.getByName("b").fetch(Request("http://x/"))
    assert await response.text() == "onetwo"
    assert cleaned_up == ["b"]
