"""Arguments against signatures."""

from __future__ import annotations

import pytest

from agents_runtime.rpc.arguments import Plan, WrongArguments
from agents_runtime.rpc.decorate import callable, exposed_by


def plan_of(method):
    return Plan(exposed_by(type("Thing", (), {method.__name__: callable(method)}))[method.__name__])


def test_defaults_and_rest():
    def go(self, a: int, b: str = "b", *rest: float):
        pass

    plan = plan_of(go)
    assert plan.bind([1]) == [1]
    assert plan.bind([1.0, "x", 1, 2.5]) == [1, "x", 1.0, 2.5]
    for args, error in [
        ([], "argument 'a' is missing"),
        ([None], "'a' must be int, not None"),
        ([1, "x", 2, "y"], "'4' must be float"),
    ]:
        with pytest.raises(WrongArguments, match=error):
            plan.bind(args)


def test_without_annotations_only_the_count_matters():
    def go(self, a, b=None):
        pass

    plan = plan_of(go)
    args = [{"any": "thing"}]
    assert plan.bind(args) is args
    with pytest.raises(WrongArguments, match="takes at most 2 arguments, 3 were sent"):
        plan.bind([1, 2, 3])


def test_annotations_nobody_can_read_are_not_checked(caplog):
    def go(self, a: DoesNotExist):  # type: ignore[name-defined] # noqa: F821 - what this test is about
        pass

    assert plan_of(go).bind(["x"]) == ["x"]
    assert "not checked" in caplog.text


def test_the_stream_is_not_an_argument_of_the_client():
    def go(self, stream, n: int):
        pass

    marked = callable(streaming=True)(go)
    plan = Plan(exposed_by(type("Thing", (), {"go": marked}))["go"])
    assert plan.bind([1]) == [1]
    with pytest.raises(WrongArguments, match="'n' is missing"):
        plan.bind([])
