"""Writes docs/explanation/platform-differences.md from the differences that the conformance suite declares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "platform-differences.md"
SUITE = ROOT / "tests" / "conformance"

HEAD = """# Where the local host differs from Workers

<!-- Written by scripts/platform_differences.py from tests/conformance. Change it there. -->

The same tests run on the local host, in memory and on disk, and inside the real Workers runtime. They say what
`ctx.storage`, alarms, WebSockets, calls between objects, mails, workflows, facets and outgoing requests do, and what
agents make of them: state, schedules, tasks, sub-agents, MCP. Where the hosts disagreed the local host was corrected,
down to the error texts. What is left is on this page, with its reason.

## Shown by a test
"""

NOT_TESTED = """
## Beyond what a test on one machine can show
"""

ENTRY = """
### {about}

- **On Workers:** {workers}
- **On the local host:** {local}

{why}
"""


def page() -> str:
    """The text of the page."""
    sys.path.insert(0, str(ROOT))
    from tests.conformance.differences import NOT_TESTED as OTHERS

    names = [path.stem for path in sorted(SUITE.glob("test_*.py"))]
    modules = [import_module(f"tests.conformance.{name}") for name in names]
    tests = [test for module in modules for name, test in vars(module).items() if name.startswith("test_")]
    shown = [difference for test in tests for difference in declared(test)]
    text = HEAD + "".join(ENTRY.format(**vars(difference)) for difference in sorted(shown, key=lambda one: one.about))
    text += NOT_TESTED
    return text + "".join(ENTRY.format(**vars(difference)) for difference in OTHERS)


def declared(test: object) -> Iterator[object]:
    """The differences declared on a test."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "differs":
            yield mark.args[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
