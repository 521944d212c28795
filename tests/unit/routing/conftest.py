"""A hand-written worker: bindings whose objects record what reaches them. No host, no storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime.local.shim.response import Response


class PlatformFailure(Exception):
    """An error as the platform raises it: a name, a message and flags."""

    def __init__(self, message: str, name: str = "Error", **flags: bool) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        for flag, value in flags.items():
            setattr(self, flag, value)


@dataclass
class FakeId:
    hex: str
    name: str | None

    def toString(self) -> str:
        return self.hex


@dataclass
class FakeNamespace:
    """A binding. `failures` are raised, one by one, before anything is answered."""

    agents_class: type | None = None
    region: str | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    response: Any = None
    stubs: list[FakeStub] = field(default_factory=list)

    def idFromName(self, name: str) -> FakeId:
        return FakeId(name.encode().hex().ljust(64, "0")[:64], name)

    def idFromString(self, text: str) -> FakeId:
        if text.startswith("f"):
            raise PlatformFailure("not an id of this namespace", "TypeError")
        return FakeId(text, None)

    def get(self, object_id: FakeId, options: Any = None) -> FakeStub:
        stub = FakeStub(self, object_id, options)
        self.stubs.append(stub)
        return stub

    def jurisdiction(self, region: str) -> FakeNamespace:
        return FakeNamespace(
            self.agents_class, region, self.calls, self.failures, self.answers, self.response, self.stubs
        )


class FakeStub:
    def __init__(self, namespace: FakeNamespace, object_id: FakeId, options: Any) -> None:
        self.namespace = namespace
        self.id = object_id
        self.options = options

    def _answer(self, *call: Any) -> None:
        self.namespace.calls.append(call)
        if self.namespace.failures:
            raise self.namespace.failures.pop(0)

    async def fetch(self, request: Any, **init: Any) -> Any:
        self._answer("fetch", self.id.name, request, *([init] if init else []))
        return self.namespace.response or Response(f"hello from {self.id.name}")

    async def cf_agents_internal(self, operation: str, payload: Any) -> Any:
        self._answer(operation, self.id.name, payload)
        return self.namespace.answers.get(operation)


class ManualClock:
    """Time that passes at once and is written down."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def now_ms(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


class FixedChance:
    """Always the same chance."""

    def random_bytes(self, size: int) -> bytes:
        return bytes(size)

    def random(self) -> float:
        return 0.5


class Worker:
    """An environment under construction."""

    Failure = PlatformFailure

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.env = SimpleNamespace(
            agents_namespaces={}, agents_host=SimpleNamespace(clock=self.clock, entropy=FixedChance())
        )

    def bind(self, name: str, cls: type | None = None) -> FakeNamespace:
        namespace = FakeNamespace(cls)
        self.env.agents_namespaces[name] = namespace
        setattr(self.env, name, namespace)
        return namespace


@pytest.fixture
def worker() -> Worker:
    return Worker()
