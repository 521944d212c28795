"""JSON with comments and trailing commas, as `wrangler.jsonc` allows them. Nothing else of JSON5."""

from __future__ import annotations

import json
import re

_TOKENS = re.compile(
    r"""
    (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<comment>//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)
  | (?P<comma>,(?=(?:\s|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*[\]}]))
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(match: re.Match[str]) -> str:
    text = match.group()
    return text if match.lastgroup == "string" else re.sub(r"[^\n]", " ", text)


def parse_jsonc(text: str) -> object:
    """Read JSON that may hold comments and trailing commas.

    Raises:
        json.JSONDecodeError: the rest is not JSON. Its line and column are those of `text`.
    """
    return json.loads(_TOKENS.sub(_blank, text))
