"""Workflows on every host: steps, waits, control, and what an agent hears, also after the host was restarted."""

from __future__ import annotations

import asyncio
from typing import Any

FATAL = "WorkflowFatalError"
BAD_CONFIG = (
    'WorkflowFatalError: Step config for "bad" is in a invalid format. See '
    "https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/"
)


async def ended(world, name, workflow_id, seconds=10.0) -> Any:
    """The status of one of the platform's own instances, once it has ended."""
    found = None
    for _ in range(int(seconds / 0.02)):
        found = await world.call("FOREMAN", name, "instance", workflow_id, "status")
        if isinstance(found, list) or found["status"] in ("complete", "errored", "terminated"):
            break
        await asyncio.sleep(0.02)
    return found


async def output(world, name, kind, **params):
    """What an instance of a kind returns."""
    workflow_id = f"{name}-{kind}"
    assert await world.call("FOREMAN", name, "raw", workflow_id, kind, params) == workflow_id
    found = await ended(world, name, workflow_id)
    assert found["status"] == "complete", found
    return found["output"]


async def seen(world, name, workflow_id, expected, seconds=10.0):
    """Wait until an agent has heard of a workflow what is expected."""
    found = None
    for _ in range(int(seconds / 0.02)):
        found = await world.call("FOREMAN", name, "look", workflow_id)
        if found == expected:
            break
        await asyncio.sleep(0.02)
    assert found == expected


async def noted(world, name, expected, seconds=10.0):
    """Wait until an agent has noted what is expected."""
    found = None
    for _ in range(int(seconds / 0.02)):
        found = await world.call("FOREMAN", name, "notes")
        if found == expected:
            break
        await asyncio.sleep(0.02)
    assert found == expected


async def status(world, name, workflow_id):
    return (await world.call("FOREMAN", name, "instance", workflow_id, "status"))["status"]


async def until_status(world, name, workflow_id, wanted):
    found = None
    for _ in range(400):
        found = await status(world, name, workflow_id)
        if found == wanted:
            break
        await asyncio.sleep(0.02)
    assert found == wanted


async def test_steps_hand_on_their_results(world, name):
    config = {"retries": {"limit": 5, "delay": 10000, "backoff": "exponential"}, "timeout": "10 minutes"}
    assert await output(world, name, "values", n=20) == {
        "found": [42, "two", {"step": {"name": "second", "count": 1}, "attempt": 1, "config": config}],
        "event": [f"{name}-values", "raw", "datetime"],
    }


async def test_a_step_may_return_what_crosses_between_objects(world, name):
    assert await output(world, name, "rich") == ["ab", "2020-01-02T00:00:00", [1, 2], str(2**60)]


async def test_a_step_is_tried_again_and_its_last_error_arrives(world, name):
    assert await output(world, name, "failures") == [
        ["ValueError", None, "ValueError: boom", [1, 2]],
        ["TypeError", None, "TypeError: boom", [1, 2]],
        ["JsException", "PythonError", "KeyError: 'boom'", [1, 2]],
        ["JsException", "PythonError", "RuntimeError: boom", [1, 2]],
        ["NonRetryableError", None, "boom", [1]],
    ]


async def test_mistakes_in_steps(world, name):
    bad_name = 'WorkflowFatalError: Step name "{}" exceeds max length (256 chars) or invalid characters found'
    found = await output(world, name, "mistakes")
    assert found[:4] == [["JsException", FATAL, BAD_CONFIG]] * 4
    assert found[4] == ["JsException", FATAL, bad_name.format("n" * 257)]
    assert found[5][:2] == ["JsException", FATAL]
    assert found[6:] == [
        ["JsException", "TypeError", 'TypeError: Invalid duration "5 parsecs"'],
        ["JsException", "Error", "Error: You can't sleep until a time in the past, time-traveler"],
        ["JsException", "WorkflowTimeoutError", "WorkflowTimeoutError: Execution timed out after 50ms"],
        ["TypeError", None, "Received unexpected parameter nobody"],
        ["TypeError", None, "TypeError: <class 'tuple'> cannot be sent over RPC."],
        ["JsException", "WorkflowTimeoutError", "WorkflowTimeoutError: Execution timed out after 50ms"],
    ]


async def test_steps_run_together(world, name):
    assert await output(world, name, "together") == [[1, 2, 3, None], [2, 3, 1]]


async def test_a_step_that_several_depend_on_runs_once(world, name):
    assert await output(world, name, "shared") == [16, ["base"]]


async def test_ids_are_checked(world, name):
    invalid = ["JsException", "WorkflowError", "WorkflowError: Workflow instance has invalid id"]
    assert await world.call("FOREMAN", name, "raw", "-x", "nothing") == invalid
    assert await world.call("FOREMAN", name, "raw", "x" * 101, "nothing") == invalid
    assert await world.call("FOREMAN", name, "raw", f"{name}-1", "nothing") == f"{name}-1"
    again = await world.call("FOREMAN", name, "raw", f"{name}-1", "nothing")
    message = f'WorkflowError: (instance.already_exists) Workflow instance with id "{name}-1" already exists'
    assert again == ["JsException", "WorkflowError", message]
    missing = ["JsException", "Error", "Error: instance.not_found"]
    assert await world.call("FOREMAN", name, "instance", "missing", "status") == missing


async def test_several_are_started_at_once(world, name):
    entry = {"params": {"kind": "nothing"}}
    entries = [{"id": f"{name}-1", **entry}, {"id": f"{name}-1", **entry}, entry]
    made = await world.call("FOREMAN", name, "batch", entries)
    assert made[0] == f"{name}-1"
    assert len(made) == 2
    assert (await ended(world, name, made[1]))["status"] == "complete"
    none = ["JsException", "Error", "Error: WorkflowError: batchCreate should have at least 1 instance"]
    assert await world.call("FOREMAN", name, "batch", []) == none


async def test_an_error_ends_an_instance(world, name):
    await world.call("FOREMAN", name, "raw", name, "breaks")
    found = await ended(world, name, name)
    assert (found["status"], found["output"], found["error"]["name"]) == ("errored", None, "PythonError")
    assert found["error"]["message"].strip().endswith("ValueError: it broke")


async def test_events_are_taken_in_order_whether_or_not_they_are_awaited(world, name):
    await world.call("FOREMAN", name, "raw", name, "waits")
    for payload in ({"n": 1}, None):
        await world.call("FOREMAN", name, "instance", name, "sendEvent", {"type": "other", "payload": 0})
        await world.call("FOREMAN", name, "instance", name, "send_event", {"type": "go", "payload": payload})
    found = await ended(world, name, name)
    assert found["output"] == [{"n": 1}, "go", "datetime", None]


async def test_pause_resume_terminate_restart(world, name):
    await world.call("FOREMAN", name, "raw", name, "waits")
    await until_status(world, name, name, "waiting")

    async def error_of(verb):
        return (await world.call("FOREMAN", name, "instance", name, verb))[2]

    cannot = "WorkflowError: (instance.cannot_resume) Cannot resume instance with status"
    assert await error_of("resume") == f'{cannot} "waiting"'
    await world.call("FOREMAN", name, "instance", name, "pause")
    await world.call("FOREMAN", name, "instance", name, "sendEvent", {"type": "go", "payload": 1})
    await world.call("FOREMAN", name, "instance", name, "pause")
    assert await status(world, name, name) == "paused"
    await world.call("FOREMAN", name, "instance", name, "resume")
    await world.call("FOREMAN", name, "instance", name, "sendEvent", {"type": "go", "payload": 2})
    assert (await ended(world, name, name))["output"][0] == 1
    assert await error_of("terminate") == (
        "WorkflowError: (instance.cannot_terminate) Cannot terminate instance since its on a finite state"
    )
    await world.call("FOREMAN", name, "instance", name, "restart")
    await until_status(world, name, name, "waiting")
    await world.call("FOREMAN", name, "instance", name, "terminate")
    assert await status(world, name, name) == "terminated"
    assert await error_of("resume") == f'{cannot} "terminated"'
    await world.call("FOREMAN", name, "instance", name, "delete")
    assert await error_of("status") == "Error: instance.not_found"


async def test_an_instance_outlives_the_host(world, name):
    await world.call("FOREMAN", name, "raw", name, "sleepy", {"for": name})
    await until_status(world, name, name, "waiting")
    await world.restart()
    found = await ended(world, name, name)
    assert (found["status"], found["output"]) == ("complete", "after")
    await noted(world, name, ["before", "after"])


async def test_a_step_that_was_interrupted_is_tried_again(world, name):
    await world.call("FOREMAN", name, "raw", name, "long_step", {"for": name})
    await noted(world, name, ["attempt 1"])
    await world.restart()
    found = await ended(world, name, name)
    assert (found["status"], found["output"]) == ("complete", 2)
    await noted(world, name, ["attempt 1", "attempt 2"])


async def test_an_agent_hears_of_progress_and_end(world, name):
    workflow_id = await world.call("FOREMAN", name, "start", "work", {"id": name, "metadata": {"a": 1}})
    assert workflow_id == name
    await seen(world, name, name, ["complete", None])
    await noted(
        world,
        name,
        [
            "fetched",
            'progress {"step": "fetch", "percent": 0.5}',
            'complete {"found": [1, 2], "id": "%s", "name": "ERRAND"}' % name,  # noqa: UP031 - JSON has braces
        ],
    )
    found: Any = None
    for _ in range(100):
        found = await world.call("FOREMAN", name, "verb", "get_workflow_status", "errand", name)
        if found["status"] == "complete":
            break
        await asyncio.sleep(0.02)
    assert (found["status"], found["output"]["found"]) == ("complete", [1, 2])
    assert await world.call("FOREMAN", name, "look", name) == ["complete", None]


async def test_an_agent_hears_of_a_failure(world, name):
    await world.call("FOREMAN", name, "start", "fails", {"id": name})
    await seen(world, name, name, ["errored", "no such address"])
    await noted(world, name, ["error no such address"])


async def test_an_agent_is_evicted_while_a_person_decides(world, name):
    await world.call("FOREMAN", name, "start", "asks", {"id": name})
    await seen(world, name, name, ["waiting", None])
    await world.evict("FOREMAN", name)
    await world.call("FOREMAN", name, "verb", "approve_workflow", name, {"metadata": {"by": "ada"}})
    await seen(world, name, name, ["complete", None])
    await noted(world, name, ['complete {"by": "ada"}'])


async def test_a_refusal_arrives(world, name):
    await world.call("FOREMAN", name, "start", "insists", {"id": name})
    await seen(world, name, name, ["waiting", None])
    await world.call("FOREMAN", name, "verb", "reject_workflow", name, {"reason": "too far"})
    await seen(world, name, name, ["errored", "too far"])
    await noted(world, name, ["rejected: too far", "error too far"])


async def test_nobody_decides(world, name):
    await world.call("FOREMAN", name, "start", "asks", {"id": name}, {"timeout": 0.1})
    await seen(world, name, name, ["complete", None])
    await noted(world, name, ['complete "too late"'])


async def test_a_workflow_changes_the_state_of_its_agent(world, name):
    await world.call("FOREMAN", name, "start", "tells", {"id": name})
    await seen(world, name, name, ["complete", None])
    assert await world.call("FOREMAN", name, "current") == {"n": 1, "m": 2}
    await noted(world, name, ['event {"kind": "told"}', 'complete "told"'])


async def test_an_agent_controls_its_workflows(world, name):
    await world.call("FOREMAN", name, "start", "work", {"id": name}, {"nap": "1 hour"})
    for _ in range(400):
        if len(await world.call("FOREMAN", name, "notes")) == 2:
            break
        await asyncio.sleep(0.02)
    await world.call("FOREMAN", name, "verb", "pause_workflow", name)
    await seen(world, name, name, ["paused", None])
    await world.call("FOREMAN", name, "verb", "resume_workflow", name)
    assert (await world.call("FOREMAN", name, "look", name))[0] in ("running", "waiting")
    await world.call("FOREMAN", name, "verb", "terminate_workflow", name)
    await seen(world, name, name, ["terminated", None])
    await world.call("FOREMAN", name, "verb", "restart_workflow", name)
    await world.call("FOREMAN", name, "verb", "terminate_workflow", name)
    await seen(world, name, name, ["terminated", None])


async def test_an_agent_finds_its_workflows(world, name):
    for number in range(3):
        await world.call("FOREMAN", name, "start", "nothing", {"id": f"{name}-{number}", "metadata": {"n": number}})
        await seen(world, name, f"{name}-{number}", ["complete", None])
    first = await world.call("FOREMAN", name, "page", {"limit": 2, "order_by": "asc"})
    assert (first[0], first[1]) == ([f"{name}-0", f"{name}-1"], 3)
    assert await world.call("FOREMAN", name, "page", {"limit": 2, "order_by": "asc", "cursor": first[2]}) == [
        [f"{name}-2"], 3, None,
    ]  # fmt: skip
    assert (await world.call("FOREMAN", name, "page", {"metadata": {"n": 1}}))[0] == [f"{name}-1"]
    assert await world.call("FOREMAN", name, "verb", "delete_workflow", f"{name}-1") is True


async def test_mistakes_of_an_agent(world, name):
    taken = await world.call("FOREMAN", name, "start", "nothing", {"id": name})
    assert taken == name
    problem = f"the workflow {name!r} is already being tracked: give another id"
    assert await world.call("FOREMAN", name, "start", "nothing", {"id": name}) == ["UsageError", problem]
    other = await world.call("FOREMAN", f"{name}-other", "start", "nothing", {"id": name})
    assert other == ["UsageError", f"there is a workflow {name!r} in ERRAND already: give another id"]
    assert await world.call("FOREMAN", f"{name}-other", "look", name) is None
    unknown = await world.call("FOREMAN", name, "verb", "approve_workflow", "none")
    assert unknown[0] == "UnknownWorkflow"


async def test_the_calls_of_the_earlier_python_api(world, name):
    assert await world.call("FOREMAN", name, "start_by_name", name) == name
    await noted(world, name, ['event {"kind": "told"}', 'complete "told"'])
    assert await world.call("FOREMAN", name, "by_hand") == ["onboarding", "tea is green"]
