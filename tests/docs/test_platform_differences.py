"""The page of platform differences is the one that the conformance suite declares."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date():
    script = runpy.run_path(str(ROOT / "scripts" / "platform_differences.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run: python scripts/platform_differences.py"
