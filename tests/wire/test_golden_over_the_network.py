"""The same recordings once more, over real sockets: the client that recorded the JavaScript SDK talks to our server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.js.conftest import IDLE_S, serve
from tests.js.harness import install_packages
from tests.needs import missing
from tests.wire.transcripts import Transcript, comparable, differences, read_transcripts, recorded

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
PLAYER = HERE / "record" / "play.mjs"
EXPECTED = recorded() | differences()


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict[str, Transcript]:
    """What our server answered, by theme and name."""
    if reason := install_packages():
        missing(reason)
    folder = tmp_path_factory.mktemp("wire")
    counts: dict[str, dict[str, list[int]]] = {}
    for transcript in EXPECTED.values():
        counts.setdefault(transcript.file, {})[transcript.name] = [len(step.expected) for step in transcript.steps]
    server = serve(HERE, folder, "--idle-timeout", str(IDLE_S))
    try:
        answers = folder / "answers"
        command = ["node", str(PLAYER), server.host, str(answers), str(round(IDLE_S * 4000)), json.dumps(counts)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{server.output()}"
    finally:
        server.kill()
    return {one.key: one for path in answers.glob("*.jsonl") for one in read_transcripts(path)}


@pytest.mark.parametrize("key", EXPECTED)
def test_same_frames_over_the_network(played, key):
    for ours, theirs in zip(played[key].steps, EXPECTED[key].steps, strict=True):
        assert ours.action == theirs.action
        got = [comparable(line) for line in ours.expected]
        assert got == [comparable(line) for line in theirs.expected], f"after {ours.action}"
