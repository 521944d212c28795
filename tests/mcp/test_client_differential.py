"""Our client and the official Python one ask the same server the same things and get the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents_runtime import Agent, callable
from tests.children import spawn

PEER = Path(__file__).parent / "peers" / "python_server.py"
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(60)]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
calls = st.one_of(
    st.tuples(st.just("echo"), st.fixed_dictionaries({"value": values})),
    st.tuples(st.just("add"), st.fixed_dictionaries({"a": values, "b": numbers})),
    st.tuples(st.sampled_from(["echo", "add", "fail", "nothing"]), st.dictionaries(texts, values, max_size=3)),
)


class User(Agent):
    @callable
    async def add(self, url, version):
        client = {"supported_protocol_versions": [version]}
        return (await self.add_mcp_server("peer", url, id="peer", client=client))["state"]

    @callable
    async def use(self, name, arguments):
        try:
            result = await self.mcp.call_tool("peer", name, arguments)
        except Exception as error:
            return type(error).__name__
        return kept(result)


def kept(result: dict[str, Any]) -> Any:
    """What of a result must be the same: 1.0 counts as 1, and the words of an error may quote either."""
    if result.get("isError"):
        return "isError"
    return json.loads(result["content"][0]["text"])


@pytest.fixture(scope="module")
def url():
    process = spawn([sys.executable, str(PEER), "http"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    yield f"http://127.0.0.1:{line.removeprefix('listening on ').strip()}/mcp"
    process.kill()
    process.wait(10)
    process.stdout.close()


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
@settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.lists(calls, min_size=5, max_size=8))
async def test_both_get_the_same(runtime_factory, url, version, asked):
    from mcp.client import Client
    from mcp.shared.exceptions import MCPError

    agent = runtime_factory().get(User, "u")
    assert await agent.add(url, version) == "ready"
    async with Client(url) as official:
        for name, arguments in asked:
            try:
                result = await official.call_tool(name, arguments)
            except MCPError:
                expected: Any = "McpError"
            else:
                expected = kept(result.model_dump(by_alias=True, mode="json"))
            assert await agent.use(name, arguments) == expected
