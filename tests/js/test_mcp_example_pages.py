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
        ("mcp_client", "servers_are_added_used_and_left"),
        ("mcp_client", "hub_is_let_in_when_the_server_is_killed"),
        ("mcp_client", "hub_is_kept_out_and_asks_again"),
        ("mcp_client", "full_page_of_the_hub_fits"),
    ],
)
def test_mcp_example(pages, example, fresh_name, project, scenario):
    pages.run(scenario, example(project), name=fresh_name)


@pytest.mark.parametrize("project", ["mcp_server", "mcp_client"])
def test_page_needs_no_other_host(browser, example, project):
    browser("pages.mjs").run("page_needs_no_other_host", example(project), path="/")


def test_shared_files_are_the_same():
    for original, copy in [
        ("public/agent-client.js", "mcp_client/public/agent-client.js"),
        ("mcp_server/public/tool-form.js", "mcp_client/public/tool-form.js"),
    ]:
        assert (EXAMPLES / original).read_bytes() == (EXAMPLES / copy).read_bytes(), (
            f"cp examples/{original} examples/{copy}"
        )
