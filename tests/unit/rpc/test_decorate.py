"""The decorator leaves a plain function and tells what it marked."""

from __future__ import annotations

from types import FunctionType

import pytest

from agents_runtime.errors import DefinitionError
from agents_runtime.rpc.decorate import CallableMetadata, callable, exposed_by


def test_the_method_stays_a_plain_function():
    class Thing:
        @callable
        def go(self):
            """Say so."""

    assert type(vars(Thing)["go"]) is FunctionType
    assert Thing.go.__doc__ == "Say so."
    assert Thing().go() is None


def test_metadata():
    class Thing:
        @callable(name="run", description="Runs.", timeout_s=2.5)
        def go(self):
            pass

        @callable
        async def numbers(self):
            yield 1

    table = exposed_by(Thing)
    assert table["run"].metadata == CallableMetadata("run", "Runs.", False, 2.5)
    assert table["numbers"].metadata.streaming is True
    assert exposed_by(Thing) is table, "computed once"


def test_the_first_decoration_wins():
    class Thing:
        @callable(name="second")
        @callable(name="first")
        def go(self):
            pass

    assert list(exposed_by(Thing)) == ["first"]


@pytest.mark.parametrize("timeout_s", [0, -1])
def test_a_timeout_is_above_zero(timeout_s):
    with pytest.raises(DefinitionError, match="timeout_s must be above 0"):
        callable(timeout_s=timeout_s)(lambda_named("go"))


@pytest.mark.parametrize("value", [staticmethod(len), property(len), len, 5])
def test_only_methods(value):
    with pytest.raises(DefinitionError, match="directly on a method"):
        callable(value)


def lambda_named(name):
    def method(self):
        pass

    method.__name__ = name
    return method
