"""Ids have the shapes of the JavaScript SDK."""

from __future__ import annotations

import re

from agents_runtime._core.ids import ALPHABET, nanoid


def test_an_id_uses_the_whole_alphabet_and_only_that():
    everything = nanoid(lambda size: bytes(range(256))[:size], 256)
    assert sorted(set(everything)) == sorted(ALPHABET.decode())
    assert re.fullmatch(r"[\w-]{21}", nanoid(lambda size: b"\xff" * size))


def test_the_same_chance_gives_the_same_id():
    assert nanoid(lambda size: bytes(size), 9) == "A" * 9
