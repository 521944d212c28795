"""Steps before the compatibility date of implicit dependencies: `depends` lists what a step takes."""

from __future__ import annotations

from typing import Any

import pytest
from workers import WorkflowEntrypoint

from agents_runtime.local.workflows.binding import bind_workflow
from agents_runtime.local.workflows.instance import Served


class Old(WorkflowEntrypoint):
    async def run(self, event, step: Any):
        made = []

        @step.do("base")
        async def base():
            made.append("base")
            return 2

        @step.do("double", [base], True)
        async def double(value, ctx):
            return value * 2 + ctx["attempt"]

        @step.do("both", depends=[base, double], concurrent=True)
        async def both(one, two):
            return [one, two]

        found = [await both(), made]
        for depends in (None, [base, double], [len]):
            try:
                await step.do("wrong", depends=depends)(lambda value: value)()
            except TypeError as error:
                found.append(str(error))
        return found


@pytest.fixture
def flow(runtime):
    runtime._engine.set_up(lambda host: bind_workflow(host, Served("old", Old, is_implicit=False), "OLD"))
    return runtime


async def test_depends_lists_what_a_step_takes(flow):
    await flow.settle()
    instance = await flow.env.OLD.create()
    await flow.settle()
    status = await instance.status()
    assert status["output"] == [
        [2, 5],
        ["base"],
        "Step has 1 non-ctx parameter(s) but no 'depends' list provided",
        "Step declares 1 non-ctx parameter(s) but 'depends' has 2 item(s)",
        "'depends' entry for parameter 'value' is not a function decorated with step.do",
    ]
