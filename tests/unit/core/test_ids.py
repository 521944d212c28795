"""Ids have the alphabet of the JavaScript SDK; those of jobs sort by time."""

from __future__ import annotations

import re

from agents_runtime._core.ids import ALPHABET, OrderedIds, nanoid


def test_an_id_uses_the_whole_alphabet_and_only_that():
    everything = nanoid(lambda size: bytes(range(256))[:size], 256)
    assert sorted(set(everything)) == sorted(ALPHABET.decode())
    assert re.fullmatch(r"[\w-]{21}", nanoid(lambda size: b"\xff" * size))


def test_the_same_chance_gives_the_same_id():
    assert nanoid(lambda size: bytes(size), 9) == "A" * 9


def test_ordered_ids_sort_as_they_were_made_whatever_the_clock_does():
    chance = iter([b"\xff" * 6, b"\0" * 6] * 50)
    ids = OrderedIds(lambda size: next(chance))
    made = [
        ids.make(now_ms) for now_ms in [*[1_764_000_000_000] * 70, *range(1_764_000_000_100, 1_763_999_999_980, -4)]
    ]
    assert made == sorted(made, key=str.encode)
    assert len(set(made)) == len(made) == 100
    assert all(re.fullmatch(r"[A-Z][\w-]{15}", one) for one in made)


def test_ordered_ids_of_the_same_moment_differ_by_chance():
    one = OrderedIds(lambda size: b"\0" * size).make(5)
    other = OrderedIds(lambda size: b"\1" * size).make(5)
    assert one != other
    assert one[:8] == other[:8]
