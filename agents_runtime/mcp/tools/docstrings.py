"""What a docstring says about a function and its parameters, in any of the three common styles."""

from __future__ import annotations

import inspect
import re

_is_google_heading = re.compile(r"(Args|Arguments|Parameters|Params):\s*$").match
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_NUMPY_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?$")
_SPHINX_ITEM = re.compile(r":param\s+(?:[^:]*\s)?(\w+):\s*(.*)")


def summary_of(docstring: str | None) -> str | None:
    """The first paragraph, on one line; None when there is none."""
    if not docstring:
        return None
    paragraph = inspect.cleandoc(docstring).split("\n\n", 1)[0]
    return " ".join(paragraph.split()) or None


def parameters_of(docstring: str | None) -> dict[str, str]:
    """What is said about each parameter, by name."""
    if not docstring:
        return {}
    lines = inspect.cleandoc(docstring).splitlines()
    for index, line in enumerate(lines):
        if _is_google_heading(line):
            return _items(_block(lines[index + 1 :]), _GOOGLE_ITEM)
        if line.strip() == "Parameters" and lines[index + 1 : index + 2] and set(lines[index + 1].strip()) == {"-"}:
            return _numpy_items(lines[index + 2 :])
    return _items([line.strip() for line in lines], _SPHINX_ITEM, is_flat=True)


def _block(lines: list[str]) -> list[str]:
    """The indented lines up to the next heading."""
    block: list[str] = []
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t")):
            break
        block.append(line)
    return inspect.cleandoc("\n".join(["", *block])).splitlines()


def _items(lines: list[str], item: re.Pattern[str], *, is_flat: bool = False) -> dict[str, str]:
    """Items that start at the left; what follows them further to the right belongs to them."""
    found: dict[str, str] = {}
    name: str | None = None
    for line in lines:
        match = item.match(line)
        if match is not None:
            name = str(match[1])
            found[name] = match[2].strip()
        elif not line.strip() or (is_flat and line.startswith(":")):
            name = None
        elif name is not None:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: text for name, text in found.items() if text}


def _numpy_items(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for index, line in enumerate(lines):
        follows = lines[index + 1].strip() if index + 1 < len(lines) else ""
        if line.strip() and not line.startswith((" ", "\t")):
            if follows and set(follows) == {"-"}:
                break
            match = _NUMPY_ITEM.match(line)
            names = [match[1]] if match is not None else []
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: text for name, text in found.items() if text}
