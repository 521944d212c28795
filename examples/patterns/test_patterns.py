"""Each pattern as a script, and one of them killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ANSWERS = {
    "prompt_chaining": "[de] Origin of tea is worth a chapter. Making tea is worth a chapter. "
    "Drinking tea is worth a chapter.\n",
    "routing": "billing desk: we look into “I want my money back”.\n"
    "technical desk: we look into “The app shows an error”.\n"
    "general desk: we look into “Hello”.\n",
    "parallelisation": "{'text': 'Here is your tea.', 'accepted': True, 'objections': []}\n"
    "{'text': 'Tell me your password.', 'accepted': False, "
    "'objections': ['no: not polite', 'no: not legal', 'no: not safe']}\n",
    "orchestrator_workers": "In short: cost of a tea house: fine; "
    "risk of a tea house: fine; fun of a tea house: fine.\n",
    "evaluator_optimiser": "{'haiku': 'tea, steam, warm cup', 'rounds': 2}\n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_pattern_runs_as_a_script(name):
    command = [sys.executable, "-X", "utf8", f"{name}.py"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, ANSWERS[name]), done.stderr


async def test_a_pattern_ends_wherever_it_is_killed(runtime, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    from evaluator_optimiser import Poet

    async def story(world):
        yield await world.run_in_agent(world.get(Poet, "p"), lambda poet: begin(poet))
        await world.advance(minutes=1)

    async def begin(poet):
        return (await poet.tasks.run("haiku", "tea", run_id="r")).run_id

    async def it_ends(world, acknowledged):
        await world.advance(minutes=2)
        runs = await world.run_in_agent(world.get(Poet, "p"), lambda poet: poet.tasks.list())
        if acknowledged:
            assert [run.result for run in runs] == [{"haiku": "tea, steam, warm cup", "rounds": 2}]

    assert (await runtime.crash_sweep(story, it_ends)).commits >= 4
