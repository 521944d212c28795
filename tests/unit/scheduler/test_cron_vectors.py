"""1,500 expressions and their next three runs, as the cron library of the JavaScript SDK computes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents_runtime.errors import InvalidCron
from agents_runtime.scheduler.cron import parse_cron

VECTORS = [json.loads(line) for line in Path(__file__).with_name("cron_vectors.jsonl").read_text().splitlines()]
AGREED = [vector for vector in VECTORS if vector[1] is not None]
REFUSED = [vector[0] for vector in VECTORS if vector[1] is None]


def runs(expression: str, start_s: int) -> list[int]:
    cron = parse_cron(expression)
    first = cron.next_s(start_s)
    second = cron.next_s(first)
    return [first, second - first, cron.next_s(second) - second]


def test_the_recording_is_whole():
    assert len(AGREED) >= 1_500
    assert len(REFUSED) >= 25
    assert sum(len(vector[0].split()) == 6 for vector in AGREED) >= 400


def test_every_expression_runs_when_the_javascript_library_says():
    different = [
        (expression, expected, found)
        for expression, start_s, *expected in AGREED
        if (found := runs(expression, start_s)) != expected
    ]
    assert not different, f"{len(different)} of {len(AGREED)}: {different[:5]}"


@pytest.mark.parametrize("expression", REFUSED)
def test_what_the_javascript_library_refuses_is_refused(expression):
    with pytest.raises(InvalidCron):
        parse_cron(expression)
