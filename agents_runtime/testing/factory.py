"""Makes the runtimes of one test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agents_runtime.testing.options import RuntimeOptions
from agents_runtime.testing.runtime import Runtime


class RuntimeFactory:
    """The fixture `runtime_factory`: each call makes a runtime that ends with the test."""

    def __init__(self, made: list[Runtime], *, expect_timeout_s: float) -> None:
        self._made = made
        self._expect_timeout_s = expect_timeout_s

    def __call__(
        self,
        *,
        evict_before_every_event: bool = True,
        env: Mapping[str, Any] | None = None,
        data: Path | None = None,
        start: datetime | None = None,
        seed: int = 0,
        expect_timeout_s: float | None = None,
    ) -> Runtime:
        """Make a runtime. See `RuntimeOptions` for the meaning of the arguments."""
        options = RuntimeOptions(
            evict_before_every_event=evict_before_every_event,
            env=dict(env or {}),
            data=data,
            start=start,
            seed=seed,
            expect_timeout_s=self._expect_timeout_s if expect_timeout_s is None else expect_timeout_s,
        )
        runtime = Runtime(options)
        self._made.append(runtime)
        return runtime
