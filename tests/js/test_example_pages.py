"""The pages of the examples in Chromium: tabs in step, a killed server, phone width, nothing in the console."""

from __future__ import annotations

import re
import shutil
from html import unescape

import pytest

from tests.js.conftest import REPOSITORY, serve

pytestmark = [pytest.mark.node, pytest.mark.chromium]

EXAMPLES = REPOSITORY / "examples"
FOLDERS = ("counter", "chatroom", "reminders", "email_agent", "approval_workflow", "research_team")
PROJECTS = {"landing": REPOSITORY} | {name: EXAMPLES / name for name in FOLDERS}


@pytest.fixture
def pages(browser):
    return browser("pages.mjs")


@pytest.fixture
def example(tmp_path):
    """Starts an example; ends it after the test."""
    servers = []

    def start(name):
        command = "dev" if name == "email_agent" else "serve"  # only `dev` takes mail from a page
        servers.append(serve(PROJECTS[name], tmp_path, command=command))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.mark.parametrize(
    ("project", "scenario"),
    [
        ("counter", "counter_in_two_tabs"),
        ("counter", "counter_is_optimistic"),
        ("counter", "counter_when_the_server_is_killed"),
        ("chatroom", "chat_in_two_tabs"),
        ("chatroom", "chat_shows_who_is_typing"),
        ("chatroom", "chat_bot_streams"),
        ("chatroom", "chat_when_the_server_is_killed"),
        ("reminders", "reminder_is_made_rings_and_is_cancelled"),
        ("reminders", "bread_is_baked_when_the_server_is_killed"),
        ("reminders", "full_page_of_reminders_fits"),
        ("email_agent", "mail_is_written_answered_and_in_the_outbox"),
        ("email_agent", "desk_remembers_when_the_server_is_killed"),
        ("email_agent", "full_desk_fits"),
        ("approval_workflow", "orders_are_approved_and_refused"),
        ("approval_workflow", "orders_when_the_server_is_killed"),
        ("approval_workflow", "full_page_of_orders_fits"),
        ("research_team", "team_researches_in_two_tabs"),
        ("research_team", "team_goes_on_when_the_server_is_killed"),
        ("research_team", "full_page_of_the_team_fits"),
        ("landing", "landing_page_shows_two_windows_in_step"),
    ],
)
def test_example(pages, example, fresh_name, project, scenario):
    pages.run(scenario, example(project), name=fresh_name)


def test_new_code_is_taken_in_while_the_page_is_open(pages, tmp_path, fresh_name):
    project = tmp_path / "project"
    shutil.copytree(EXAMPLES, project / "examples", ignore=shutil.ignore_patterns("__pycache__", ".agents"))
    shutil.copy(REPOSITORY / "wrangler.toml", project)
    source = project / "examples" / "counter" / "entry.py"

    def edit():
        source.write_text(
            source.read_text(encoding="utf-8").replace('["count"] + by', '["count"] + by * 10'), encoding="utf-8"
        )

    server = serve(project, tmp_path, command="dev")
    server.grant("edit", edit)
    try:
        pages.run("new_code_is_taken_in", server, name=fresh_name)
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("project", "path"),
    [
        ("counter", "/"),
        ("chatroom", "/"),
        ("reminders", "/"),
        ("email_agent", "/"),
        ("approval_workflow", "/"),
        ("research_team", "/"),
        ("landing", "/"),
        ("landing", "/counter/"),
        ("landing", "/chatroom/"),
    ],
)
def test_page_fits_every_screen_and_needs_no_other_host(pages, example, project, path):
    server = example(project)
    pages.run("page_fits_and_is_accessible", server, path=path)
    pages.run("page_needs_no_other_host", server, path=path)


def test_shared_files_are_the_same_in_every_example():
    for original, copy in [
        ("public/agent-client.js", "counter/public/agent-client.js"),
        ("public/agent-client.js", "chatroom/public/agent-client.js"),
        ("public/agent-client.js", "reminders/public/agent-client.js"),
        ("public/agent-client.js", "email_agent/public/agent-client.js"),
        ("public/agent-client.js", "approval_workflow/public/agent-client.js"),
        ("public/agent-client.js", "research_team/public/agent-client.js"),
        ("counter/public/index.html", "public/counter/index.html"),
        ("chatroom/public/index.html", "public/chatroom/index.html"),
    ]:
        assert (EXAMPLES / original).read_bytes() == (EXAMPLES / copy).read_bytes(), (
            f"examples/{copy} is not the same as examples/{original}: cp examples/{original} examples/{copy}"
        )


def test_landing_page_shows_the_code_that_runs():
    html = (EXAMPLES / "public" / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<code id="code">(.*?)</code>', html, re.DOTALL)
    assert found
    shown = unescape(re.sub(r"<[^>]+>", "", found[1])).splitlines()
    source = iter((EXAMPLES / "counter" / "entry.py").read_text(encoding="utf-8").splitlines())
    assert len(shown) == 10
    for line in shown:
        assert line in source, f"examples/counter/entry.py has no line {line!r} at that place"
