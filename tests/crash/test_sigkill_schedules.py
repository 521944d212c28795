"""A real server process is killed with SIGKILL while schedules, queue items and tasks wait and run: none is lost.

The moments of the kills come from a seed, which is printed; AGENTS_KILL_SEED=<seed> repeats them. There are 50 rounds
of half a second each; AGENTS_KILL_ROUNDS=500 makes it so many. The last is one of full load, if need be one more.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import textwrap
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
import websockets

from tests.crash.test_sigkill import ServerProcess, until_cut_off
from tests.crash.test_sigkill_tasks import Client

logger = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("AGENTS_KILL_ROUNDS") or 50)
LONGEST_LOAD_S = 1.0
MEAN_LOAD_S = 0.1
"""Most kills come early, some late: the sooner the next, the more of them there are in a minute."""
FIRST_ANSWERS_S = 10.0
SETTLED_WITHIN_S = 20.0
NAMES = ("one", "two")
DELAYS_MS = (3_000, 50, 400, 1_500)
"""The first is so long that what a round accepts first still waits when that round is killed."""
STEPS = 3

WRANGLER = """
    name = "diary"
    main = "diary_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Diary"
    class_name = "Diary"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Diary"]
"""

MAIN = """
    import asyncio
    import time
    from pathlib import Path

    from agents_runtime import Agent, callable, route_agent_request, task
    from agents_runtime.tasks.step import get_current_step
    from workers import Response, WorkerEntrypoint

    EFFECTS = Path(__file__).with_name("effects.log")

    def now_ms():
        return time.time_ns() // 1_000_000

    class Diary(Agent):
        options = {"keep_alive_interval_ms": 500}

        async def on_start(self):
            self.sql("CREATE TABLE IF NOT EXISTS entries (kind TEXT, key TEXT, due_ms INTEGER, at_ms INTEGER)")
            await self.schedule_every(1, self.tick)
            await self.schedule("*/2 * * * * *", self.chime)

        def enter(self, kind, key, due_ms=0):
            at_ms = now_ms()
            with EFFECTS.open("a") as log:
                log.write(f"{kind} {self.name} {key} {due_ms} {at_ms}\\n")
            self.sql("INSERT INTO entries VALUES (?, ?, ?, ?)", kind, key, due_ms, at_ms)

        @callable
        async def later(self, key: str, delay_ms: int) -> None:
            not_before_ms = now_ms() + delay_ms
            await self.schedule(delay_ms / 1000, self.ring, {"key": key, "not_before_ms": not_before_ms})

        def ring(self, payload, schedule):
            self.enter("schedule", payload["key"], max(payload["not_before_ms"], schedule.time_ms))

        @callable
        async def put(self, key: str) -> None:
            await self.queue(self.take, key)

        def take(self, key):
            self.enter("queue", key)

        def tick(self, payload, schedule):
            self.enter("interval", "tick", schedule.time_ms)

        def chime(self, payload, schedule):
            self.enter("cron", "chime", schedule.time_ms)

        @callable
        async def start(self, key: str, count: int) -> None:
            await self.tasks.run("chain", count, run_id=key)

        @task
        async def chain(self, step, count):
            for number in range(count):
                await step.do(f"part {number}", self.act)
                await step.sleep(f"nap {number}", 0.05)
            self.enter("task", step.run_id)

        async def act(self):
            key = get_current_step().idempotency_key.replace(" ", "-")
            with EFFECTS.open("a") as log:
                log.write(f"begun {self.name} {key} 0 {now_ms()}\\n")
            await asyncio.sleep(0.01)
            self.enter("step", key)

        @callable
        async def audit(self) -> dict:
            journal = self.sql("SELECT * FROM cf_agents_task_steps WHERE kind = 'do'")
            runs = await self.tasks.list(limit=1000)
            return {
                "entries": [list(row.values()) for row in self.sql("SELECT * FROM entries ORDER BY rowid")],
                "runs": {run.run_id: run.state for run in runs},
                "journal": [[f"{row['run_id']}:{row['step_name']}".replace(" ", "-"), row["state"]] for row in journal],
                "left": len(await self.get_queues()),
                "pending": [schedule.type for schedule in await self.list_schedules()],
            }

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


@dataclass(frozen=True)
class Effect:
    """One line of the log that the callbacks write past the agent's storage: every run, also one that was cut off."""

    kind: str
    name: str
    key: str
    due_ms: int
    at_ms: int


@dataclass
class Accepted:
    """What the clients were told is accepted: keys by kind and agent, in order."""

    keys: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    answered: set[tuple[str, str]] = field(default_factory=set)

    def add(self, kind: str, name: str, key: str) -> None:
        self.keys[kind, name].append(key)
        self.answered.add((kind, name))

    def all(self) -> set[tuple[str, str, str]]:
        return {(kind, name, key) for (kind, name), keys in self.keys.items() for key in keys}


CALLS = {
    "schedule": ("later", DELAYS_MS, 0.01),
    "queue": ("put", (None,), 0.01),
    "task": ("start", (STEPS,), 0.15),
}
"""What the client of each kind calls, with which further argument, and how long it rests in between."""


@contextlib.asynccontextmanager
async def connected(port, name):
    async with websockets.connect(f"ws://127.0.0.1:{port}/agents/diary/{name}", max_size=None) as socket:
        yield Client(socket)


async def load(port, kind, name, turn, accepted):
    method, arguments, rest_s = CALLS[kind]
    async with connected(port, name) as client:
        for number, argument in enumerate(itertools.islice(itertools.cycle(arguments), 10_000)):
            key = f"{kind}-{name}-{turn}-{number}"
            await client.call(method, key, *([] if argument is None else [argument]))
            accepted.add(kind, name, key)
            await asyncio.sleep(rest_s)


async def load_and_kill(server, turn, accepted, *, load_s, waits_for_answers):
    """Run all clients; kill after so many seconds, counted from when each client was answered once or from now."""
    accepted.answered.clear()
    async with asyncio.TaskGroup() as clients, asyncio.timeout(FIRST_ANSWERS_S + LONGEST_LOAD_S):
        for kind, name in itertools.product(CALLS, NAMES):
            clients.create_task(until_cut_off(load(server.port, kind, name, turn, accepted)))
        while waits_for_answers and len(accepted.answered) < len(CALLS) * len(NAMES):
            await asyncio.sleep(0.01)
        await asyncio.sleep(load_s)
        server.kill()


def effects_in(folder):
    log = folder / "effects.log"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [Effect(kind, name, key, int(due_ms), int(at_ms)) for kind, name, key, due_ms, at_ms in whole]


def missing_in(folder, accepted, since_ms):
    """What was accepted and did not run, and what recurs and did not run since a time."""
    effects = effects_in(folder)
    missing = accepted.all() - {(effect.kind, effect.name, effect.key) for effect in effects}
    recurring = {("interval", name, "tick") for name in NAMES} | {("cron", name, "chime") for name in NAMES}
    recent = Counter((effect.kind, effect.name, effect.key) for effect in effects if effect.at_ms >= since_ms)
    return missing | {one for one in recurring if recent[one] < 2}


async def all_run_without_a_request(folder, accepted, context):
    restarted_ms = time.time_ns() // 1_000_000
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while missing := missing_in(folder, accepted, restarted_ms):
        assert time.monotonic() < deadline, f"never ran: {sorted(missing)[:10]} ({len(missing)}); {context}"
        await asyncio.sleep(0.1)


async def audit(port, name):
    """What an agent has stored, once it has nothing left to do but what recurs."""
    async with asyncio.timeout(SETTLED_WITHIN_S), connected(port, name) as client:
        while True:
            stored = await client.call("audit")
            runs_on = any(state not in ("completed", "failed", "cancelled") for state in stored["runs"].values())
            if not runs_on and not stored["left"] and sorted(stored["pending"]) == ["cron", "interval"]:
                return stored
            await asyncio.sleep(0.1)


def check_stored(name, stored, accepted, context):
    times = Counter((kind, key) for kind, key, _, _ in stored["entries"])
    for kind in ("schedule", "queue"):
        wrong = [key for key in accepted.keys[kind, name] if times[kind, key] != 1]
        assert not wrong, f"{name}: what they wrote is not stored once: {wrong[:5]}; {context}"
    lost = [key for key in accepted.keys["task", name] if not times["task", key]]
    assert not lost, f"{name}: tasks that did not come to their last line: {lost[:5]}; {context}"
    taken = [key for kind, key, _, _ in stored["entries"] if kind == "queue"]
    known = set(accepted.keys["queue", name])
    assert [key for key in taken if key in known] == accepted.keys["queue", name], f"{name}: out of order; {context}"
    assert {stored["runs"][key] for key in accepted.keys["task", name]} == {"completed"}, f"{name}: {context}"
    journal = dict(stored["journal"])
    assert set(journal.values()) == {"completed"}, f"{name}: {context}"
    steps = {key: number for (kind, key), number in times.items() if kind == "step"}
    assert steps == dict.fromkeys(journal, 1), f"{name}: a step and its journal entry are not one; {context}"
    ticks = [at_ms for kind, _, _, at_ms in stored["entries"] if kind == "interval"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    assert min(gaps) >= 1_000, f"{name}: the interval ran {min(gaps)} ms after the run before; {context}"


def check_effects(effects, accepted, rounds, context):
    early = [effect for effect in effects if effect.at_ms < effect.due_ms]
    assert not early, f"ran early: {early[:5]}; {context}"
    begun = Counter(effect.key for effect in effects if effect.kind == "begun")
    for name in NAMES:
        for key in accepted.keys["task", name]:
            times = sum(begun[f"{key}:part-{number}"] for number in range(STEPS))
            assert STEPS <= times <= STEPS + rounds, f"a kill repeats the step it interrupts, and no other; {context}"


@pytest.mark.slow
@pytest.mark.timeout(60 + 4 * ROUNDS)
async def test_what_was_accepted_runs_whenever_the_process_is_killed(tmp_path):
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    context = f"AGENTS_KILL_SEED={seed}"
    logger.warning(context)  # shown when the test fails
    moments = random.Random(seed)
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "diary_main.py").write_text(textwrap.dedent(MAIN))
    accepted = Accepted()
    started, rounds, dies_young = time.monotonic(), 0, False
    while dies_young or rounds < ROUNDS:
        dies_young = rounds % 3 == 1  # in the middle of recovering from the kill before
        load_s = min(moments.expovariate(1 / MEAN_LOAD_S), LONGEST_LOAD_S)
        async with ServerProcess(tmp_path) as server:
            await load_and_kill(server, rounds, accepted, load_s=load_s, waits_for_answers=not dies_young)
        rounds += 1
    context += f", {rounds} rounds"
    waiting = accepted.all() - {(effect.kind, effect.name, effect.key) for effect in effects_in(tmp_path)}
    assert any(kind == "schedule" for kind, _, _ in waiting), f"nothing waited when the last kill came; {context}"
    async with ServerProcess(tmp_path) as server:
        await all_run_without_a_request(tmp_path, accepted, context)
        for name in NAMES:
            check_stored(name, await audit(server.port, name), accepted, context)
    check_effects(effects_in(tmp_path), accepted, rounds, context)
    counts = {kind: sum(len(accepted.keys[kind, name]) for name in NAMES) for kind in CALLS}
    logger.warning("accepted in %d rounds: %s; %.1f s", rounds, counts, time.monotonic() - started)
