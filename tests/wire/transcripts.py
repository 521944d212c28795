"""Reads recorded transcripts: what was done to a server, and what came back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden"
DIFFERENCES = Path(__file__).parent / "differences.jsonl"
RANDOM_ID = re.compile(r"^hello [\w-]{21}$")


@dataclass
class Step:
    """One action and the lines that followed from it."""

    action: Line
    expected: list[Line] = field(default_factory=list)


@dataclass
class Transcript:
    """One recorded conversation. `why` is set when ours is meant to differ from the recorded one."""

    file: str
    name: str
    steps: list[Step]
    why: str | None = None

    @property
    def key(self) -> str:
        return f"{self.file}: {self.name}"


def read_transcripts(path: Path) -> list[Transcript]:
    transcripts: list[Transcript] = []
    # Frames may hold U+2028, so `splitlines` would cut them in two.
    for text in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
        line = json.loads(text)
        if "transcript" in line:
            transcripts.append(Transcript(line.get("file", path.stem), line["transcript"], [], line.get("why")))
        elif "do" in line:
            transcripts[-1].steps.append(Step(line))
        else:
            transcripts[-1].steps[-1].expected.append(line)
    return transcripts


def recorded() -> dict[str, Transcript]:
    """Every transcript recorded from the JavaScript SDK, by file and name."""
    return {
        transcript.key: transcript for path in sorted(GOLDEN.glob("*.jsonl")) for transcript in read_transcripts(path)
    }


def differences() -> dict[str, Transcript]:
    """The transcripts in which we differ on purpose, as ours must be."""
    return {transcript.key: transcript for transcript in read_transcripts(DIFFERENCES)}


def normalise(text: str) -> str:
    """Take chance out of a frame."""
    return RANDOM_ID.sub("hello <random id>", text)


def canonical(text: str) -> tuple[str, int]:
    """A frame with its keys sorted, and its length: equal for texts that differ only in the order of keys."""
    try:
        value = json.loads(text)
    except ValueError:
        return text, len(text)
    return json.dumps(value, sort_keys=True, ensure_ascii=False), len(text)


def comparable(line: Line) -> Line:
    """A line in the form in which two of them are compared."""
    return {key: canonical(value) if key in ("got", "body") else value for key, value in line.items()}
