"""Chance for a local host: the system's, or a seeded one for tests."""

from __future__ import annotations

import random
import secrets
from typing import Protocol


class Entropy(Protocol):
    """Random bytes and numbers."""

    def random_bytes(self, size: int) -> bytes: ...
    def random(self) -> float: ...


class SystemEntropy:
    """Unpredictable, fit for ids that must not be guessed."""

    def random_bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    def random(self) -> float:
        return random.random()


class SeededEntropy:
    """The same sequence for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def random_bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def random(self) -> float:
        return self._random.random()
