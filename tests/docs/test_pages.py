"""Every code block of the documents runs, and every link in them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of
from tests.docs.page import Page, prepare

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md", "bench/README.md")
    for path in ROOT.glob(pattern)
)
SKIPPED_AT_MOST = 12
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def blocks(page: Path) -> list[Block]:
    return blocks_of(page, (ROOT / page).read_text())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_of_a_page_runs(page, tmp_path):
    if page.parts[0] != "docs":
        prepare(tmp_path)
    with Page(tmp_path) as running:
        for block in blocks(page):
            running.run(block)


def test_few_blocks_are_only_shown():
    skipped = [block for page in PAGES for block in blocks(page) if block.skipped_because is not None]
    assert len(skipped) <= SKIPPED_AT_MOST, "\n".join(map(str, skipped))
    for block in skipped:
        assert len(block.skipped_because or "") >= 10, f"{block}: say why it cannot run"


def test_the_documents_hold_code():
    assert sum(len(blocks(page)) for page in PAGES) >= 40


def anchors(page: Path) -> set[str]:
    """The fragment of each heading, as GitHub makes it."""
    found = set()
    fenced = False
    for line in page.read_text().splitlines():
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("#") and not fenced:
            words = re.sub(r"[^\w\s-]", "", line.lstrip("#").strip().lower())
            found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_inside_the_repository_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for match in LINK.finditer(text):
        target, _, fragment = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), f"{page}: {match['target']}"
        if fragment and path.suffix == ".md":
            assert fragment in anchors(path), f"{page}: {match['target']} (has {sorted(anchors(path))})"
