"""The pages of the MCP examples in Chromium: tools, progress, questions, consent, killed servers, every width."""

from __future__ import annotations

import pytest

from tests.js.conftest import REPOSITORY, serve

pytestmark = [pytest.mark.node, pytest.mark.chromium]

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture
def pages(browser):
    return browser("mcp_pages.mjs")


@pytest.fixture
def example(tmp_path):
    """Starts an example; ends it after the test."""
    servers = []

    def start(name):
        servers.append(serve(EXAMPLES / name, tmp_path))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.mark.parametrize(
    ("project", "scenario"),
    [
        ("mcp_server", "tools_are_shown_and_called"),
        ("mcp_server", "server_asks_before_it_clears_the_list"),
        ("mcp_server", "session_goes_on_when_the_server_is_killed"),
        ("mcp_server", "full_page_of_the_server_fits"),
    ],
)
def test_mcp_example(pages, example, fresh_name, project, scenario):
    pages.run(scenario, example(project), name=fresh_name)
