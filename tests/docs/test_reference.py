"""The reference names everything public: a new name, member, command or option fails here until it is described."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import agents_runtime
from agents_runtime.local.cli.commands import cli
from tests.tidy.test_public_surface import agent_members

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = "\n".join(path.read_text() for path in sorted((ROOT / "docs/reference").glob("*.md")))
CLI_PAGE = ROOT / "docs/reference/cli.md"
CODE = re.compile(r"`+([^`]+)`+")


def words_in_code(text: str) -> set[str]:
    """Every identifier that stands in code style outside fences, or in a heading."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {word for span in CODE.findall(prose) for word in re.findall(r"\w+", span)}


@pytest.mark.parametrize("name", agents_runtime.__all__)
def test_a_public_name_is_in_the_reference(name):
    assert name in words_in_code(REFERENCE), f"describe `{name}` in docs/reference"


@pytest.mark.parametrize("name", agent_members())
def test_a_member_of_agent_is_in_the_reference(name):
    assert name in words_in_code((ROOT / "docs/reference/agent.md").read_text()) | words_in_code(REFERENCE)


def commands() -> dict[str, click.Command]:
    return dict(cli.commands)


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_and_its_options_are_in_the_reference(name):
    page = CLI_PAGE.read_text()
    assert f"agents-runtime {name}" in page
    for parameter in commands()[name].params:
        for spelling in parameter.opts:
            if spelling.startswith("--"):
                assert f"`{spelling}" in page, (
                    f"describe `{spelling}` of `agents-runtime {name}` in docs/reference/cli.md"
                )


def test_a_name_that_nobody_described_is_noticed():
    assert "no_such_name" not in words_in_code(REFERENCE)
    assert words_in_code("`Agent.state` and state\n```python\nhidden = 1\n```") == {"Agent", "state"}
