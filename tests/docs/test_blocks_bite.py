"""The runner of documents refuses what does not work: each check fails on a bad page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import BlockError, blocks_of
from tests.docs.page import Page, PageError
from tests.docs.shell import Shell, ShellError

PAGE = Path("page.md")


def run(tmp_path: Path, text: str) -> None:
    with Page(tmp_path) as page:
        for block in blocks_of(PAGE, text):
            page.run(block)


def fenced(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```", ""])


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("python", "raise ValueError('broken')"),
        ("python", "import no_such_module"),
        ("python", "def test_it():\n    assert 1 == 2"),
        ("sh", "agents-runtime no-such-command"),
        ("sh", "rm -rf something"),
        ("sh", "git push"),
        ("sh", "scripts/no-such-script"),
        ("sh", "pip install agents_runtime[no-such-extra]"),
        ("sh", "pip install something-else"),
        ("sh", "curl https://example.com/"),
        ("toml", "a = = 1"),
        ("json", "{'a': 1}"),
        ("jsonc", "{a: 1}"),
        ("tsx", "const a = <div>;"),
        ("klingon", "nuqneH"),
    ],
)
def test_a_block_that_does_not_work_is_refused(tmp_path, language, line):
    with pytest.raises(PageError, match=r"page\.md:1"):
        run(tmp_path, fenced(language, line))


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("python", "assert 1 == 1"),
        ("python", "from workers import Response\nassert Response('hi').status == 200"),
        ("python", "def test_it():\n    assert 1 == 1"),
        ("sh", "# a comment\nmkdir a\ncd a"),
        ("sh", 'pip install "agents_runtime[server]"'),
        ("toml", "a = 1"),
        ("jsonc", '{"a": 1, /* why */ "b": [2],}'),
        ("tsx", "const a = <div>{1}</div>;"),
        ("text", "whatever it printed"),
    ],
)
def test_a_block_that_works_is_accepted(tmp_path, language, line):
    run(tmp_path, fenced(language, line))


def test_a_named_file_is_there_for_later_blocks(tmp_path):
    text = fenced('python {file="helper.py"}', "VALUE = 42") + fenced(
        "python", "import helper", "assert helper.VALUE == 42"
    )
    run(tmp_path, text)


def test_a_block_with_a_reason_is_shown_but_not_run(tmp_path):
    text = fenced('python {test="needs an account"}', "raise ValueError")
    assert blocks_of(PAGE, text)[0].skipped_because == "needs an account"
    run(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["```python\nx = 1\n", "```\nx\n```\n", "```python whatever\nx\n```\n", '```python {why="x"}\nx\n```\n']
)
def test_a_malformed_fence_is_refused(text):
    with pytest.raises(BlockError):
        blocks_of(PAGE, text)


def test_a_fence_inside_a_longer_fence_is_text():
    (block,) = blocks_of(PAGE, "````text\n```python\nbroken(\n```\n````\n")
    assert block.text == "```python\nbroken(\n```\n"


def test_a_server_that_does_not_start_is_noticed(tmp_path):
    shell = Shell(tmp_path)
    try:
        with pytest.raises(ShellError, match="did not open its port"):
            shell.run("agents-runtime dev")
    finally:
        shell.close()
