"""Frames as a test client sees them, and how they are written in failure messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

Json: TypeAlias = Any
"""A JSON value: dict, list, str, int, float, bool or None. Not typed further, so that tests can look into it."""

Frame: TypeAlias = Any
"""One frame: a JSON object as a dict, other text as str, a binary frame as bytes. Not typed, as above."""

Predicate = Callable[[Frame], object]
"""Says whether a frame is the one waited for."""

MAX_FRAMES_SHOWN = 30
MAX_FRAME_CHARS = 300


def decode_frame(data: str | bytes) -> Frame:
    """A received frame in the form that is easiest to assert on."""
    if isinstance(data, bytes):
        return data
    try:
        value: Json = json.loads(data)
    except ValueError:
        return data
    return fields_of(value) if isinstance(value, dict) else data


def fields_of(frame: Frame) -> dict[str, Json]:
    """The fields of a JSON frame; none of any other."""
    return cast("dict[str, Json]", frame) if isinstance(frame, dict) else {}


def encode_frame(data: Mapping[str, Json] | str | bytes) -> str | bytes:
    """A frame to send: mappings become JSON text written as JavaScript writes it."""
    if isinstance(data, str | bytes):
        return data
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def frame_type(frame: Frame) -> str | None:
    """The `type` of a JSON frame, or None."""
    value = fields_of(frame).get("type")
    return value if isinstance(value, str) else None


def matches(frame: Frame, wanted: str | Predicate) -> bool:
    """Whether a frame has the wanted type, or satisfies the wanted function.

    A function that fails because the frame lacks what it looks at does not match; others go on to be tried.
    """
    if isinstance(wanted, str):
        return frame_type(frame) == wanted
    try:
        return bool(wanted(frame))
    except (LookupError, TypeError, AttributeError):
        return False


def describe_wanted(wanted: str | Predicate) -> str:
    """What a test waits for, in words."""
    if isinstance(wanted, str):
        return f"frame of type {wanted!r}"
    name = getattr(wanted, "__qualname__", repr(wanted))
    code = getattr(wanted, "__code__", None)
    return f"frame that satisfies {name}" + (f" ({code.co_filename}:{code.co_firstlineno})" if code else "")


def show_frame(frame: Frame) -> str:
    """One frame on one line, shortened when long."""
    text = str(encode_frame(fields_of(frame))) if isinstance(frame, dict) else repr(frame)
    return text if len(text) <= MAX_FRAME_CHARS else f"{text[:MAX_FRAME_CHARS]}... ({len(text)} characters)"


def show_frames(frames: Sequence[Frame], taken: Sequence[bool]) -> str:
    """A numbered list of frames; `*` marks those a test has already been given."""
    if not frames:
        return "No frame has arrived."
    lines = [f"Frames seen, {len(frames)} in all (* = already returned to the test):"]
    skipped = max(len(frames) - MAX_FRAMES_SHOWN, 0)
    if skipped:
        lines.append(f"    ... {skipped} earlier ones")
    for number, frame in enumerate(frames[skipped:], start=skipped + 1):
        lines.append(f"  {'*' if taken[number - 1] else ' '} {number:>3} {show_frame(frame)}")
    return "\n".join(lines)
