"""The fenced code blocks of a Markdown page, and what their info strings ask for.

A block opens with its language and, where needed, attributes in braces:

    ```python {file="entry.py"}      write the block under this name; later blocks of the page may use the file
    ```sh {test="needs an account"}  shown but not run, with the reason; every such block is counted
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str | None:
        """The name to write it under."""
        return self.attributes.get("file")

    @property
    def skipped_because(self) -> str | None:
        """Why it is shown but not run."""
        return self.attributes.get("test")

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class BlockError(Exception):
    """Raised when a page's fences are malformed."""


def blocks_of(page: Path, text: str) -> list[Block]:
    """Every fenced block of a page, in order.

    Raises:
        BlockError: a fence has no end, no language, or attributes nobody knows.
    """
    found: list[Block] = []
    opened: tuple[int, str, str, str] | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if opened is None and match:
            opened = (number, match["indent"], match["fence"], match["info"].strip())
            body = []
        elif opened and match and match["fence"].startswith(opened[2]) and not match["info"].strip():
            found.append(_block(page, opened[0], opened[3], body))
            opened = None
        elif opened:
            body.append(line.removeprefix(opened[1]))
    if opened:
        raise BlockError(f"{page}:{opened[0]}: the fence has no end")
    return found


def _block(page: Path, line: int, info: str, body: list[str]) -> Block:
    language, _, rest = info.partition(" ")
    attributes = dict(ATTRIBUTE.findall(rest))
    if not language or language.startswith("{"):
        raise BlockError(f"{page}:{line}: name the language of the block")
    unknown = set(attributes) - {"file", "test"}
    if unknown or (rest.strip() and not attributes):
        raise BlockError(f'{page}:{line}: `{rest.strip()}` is neither file="..." nor test="..." in braces')
    return Block(page, line, language, "\n".join(body) + "\n", attributes)
