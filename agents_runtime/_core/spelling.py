"""Names: JavaScript's spelling of ours, and what a misspelt one probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake_case(name: str) -> str:
    """`setState` as `set_state`. A name that is spelt our way stays."""
    return _CAPITAL.sub(r"_\1", name).lower() if not name.islower() else name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known names when none is close, as the end of an error text."""
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(snake_case(name), names, n=1) or difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(names)}" if names else "; there are none"
