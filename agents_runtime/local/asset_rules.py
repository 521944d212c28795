"""Patterns of static assets: which paths the worker sees first, and which files are no assets at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_RULES = 100
MAX_RULE_LENGTH = 100


class PathRules:
    """Path patterns such as `/api/*` and exceptions such as `!/api/docs/*`. `*` stands for anything, also `/`.

    Raises:
        ValueError: a pattern does not start with `/` or `!/`, there are only exceptions, or there is too much.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        texts = list(patterns)
        if len(texts) > MAX_RULES:
            raise ValueError(f"there are {len(texts)} patterns, at most {MAX_RULES} are allowed")
        for text in texts:
            if not text.startswith(("/", "!/")):
                raise ValueError(f'"{text}" is no path pattern: write it as "/agents/*" or "!/agents/*"')
            if len(text) > MAX_RULE_LENGTH:
                raise ValueError(f'"{text[:40]}..." is longer than {MAX_RULE_LENGTH} characters')
        included = [text for text in texts if not text.startswith("!")]
        if texts and not included:
            raise ValueError('there are only exceptions: add a pattern without "!", for example "/*"')
        self._included = _any_of(included)
        self._excepted = _any_of([text[1:] for text in texts if text.startswith("!")])

    def match(self, path: str) -> bool:
        """Whether a pattern matches and no exception does."""
        return self._included.fullmatch(path) is not None and self._excepted.fullmatch(path) is None


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text).replace(r"\*", ".*") for text in patterns) or r"(?!)", re.DOTALL)


class _IgnoreRule(NamedTuple):
    matches: re.Pattern[str]
    only_folders: bool
    takes_back: bool


class IgnoreRules:
    """What an `.assetsignore` file excludes, in the syntax of `.gitignore`."""

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.splitlines() if (rule := _ignore_rule(line)) is not None]

    def excludes(self, path: str) -> bool:
        """Whether the file is excluded, itself or through a folder above it. `path` has no leading slash."""
        parts = path.split("/")
        return any(self._excludes_entry("/".join(parts[:end]), end < len(parts)) for end in range(1, len(parts) + 1))

    def _excludes_entry(self, path: str, is_folder: bool) -> bool:
        excluded = False
        for rule in self._rules:
            if (is_folder or not rule.only_folders) and rule.matches.fullmatch(path):
                excluded = not rule.takes_back
        return excluded


_glob_part = re.compile(r"\*\*/|/\*\*|\*|\?|\[!?[^\]]+\]|\\.|.", re.DOTALL)


def _ignore_rule(line: str) -> _IgnoreRule | None:
    text = line.rstrip()
    if not text or text.startswith("#"):
        return None
    takes_back = text.startswith("!")
    text = text.removeprefix("!")
    only_folders = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    expression = "".join(_translated(part) for part in _glob_part.findall(text.removeprefix("/")))
    return _IgnoreRule(re.compile(expression if anchored else f"(?:.*/)?{expression}"), only_folders, takes_back)


def _translated(part: str) -> str:
    fixed = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}
    if part in fixed:
        return fixed[part]
    if part.startswith("["):
        return part.replace("[!", "[^", 1).replace("\\", "\\\\")
    return re.escape(part.removeprefix("\\") or "\\")
