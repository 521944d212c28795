"""Finds code that sets the platform's alarm past the library, to which it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import unwrap
from types import CodeType, FunctionType

_CALLS = ("setAlarm", "deleteAlarm")


def raw_alarm_calls(cls: type) -> Iterator[tuple[str, str, int]]:
    """What methods of this very class do it: their name, what they call, and the line they begin at."""
    for name, value in vars(cls).items():
        function = unwrap(value) if isinstance(value, FunctionType) else value
        if isinstance(function, FunctionType):
            for call in _CALLS:
                if _uses(function.__code__, call):
                    yield name, call, function.__code__.co_firstlineno


def _uses(code: CodeType, call: str) -> bool:
    if call in code.co_names and "storage" in code.co_names:
        return True
    return any(_uses(inner, call) for inner in code.co_consts if isinstance(inner, CodeType))
