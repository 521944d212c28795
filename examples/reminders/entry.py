"""Reminders in a chat, and a long job that goes on where it was when the server was killed."""

from __future__ import annotations

import re

from agents_runtime import Agent, callable, route_agent_request, task
from workers import Response, WorkerEntrypoint

ONCE = re.compile(r"(?:remind me )?in (\d+(?:\.\d+)? ?(?:s|seconds?|min|minutes?|h|hours?|days?)) to (.+)", re.I)
WEEK = r"day|weekday|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
EVERY = re.compile(rf"(?:remind me )?every ({WEEK}) at ([01]?\d|2[0-3])(?::([0-5]\d))? to (.+)", re.I)
HELP = "I know “in 10 s to drink tea”, “every weekday at 9 to stand up” and “bake bread”."
RECIPE = [("weigh", 1), ("knead", 2), ("rise", 3), ("shape", 1), ("bake", 3), ("cool", 2)]


class Reminders(Agent):
    """One person's reminders. What is to come is in the agent's schedules, what was said is in its state."""

    initial_state = {"messages": [], "done": None}

    @callable
    async def say(self, text: str, tz: str = "UTC") -> None:
        """Take a message; `tz` is the time zone of the one who writes."""
        text = text.strip()[:500]
        self.post("you", text)
        if found := ONCE.fullmatch(text):
            await self.schedule(found[1], self.remind, {"text": found[2], "rule": None})
            self.post("agent", f"In {found[1]} I will remind you to {found[2]}.")
        elif found := EVERY.fullmatch(text):
            day, hour, minute = found[1].lower(), int(found[2]), int(found[3] or 0)
            rule, days = f"every {day} at {hour}:{minute:02}", {"day": "*", "weekday": "mon-fri"}.get(day, day[:3])
            await self.schedule(f"{minute} {hour} * * {days}", self.remind, {"text": found[4], "rule": rule}, tz=tz)
            self.post("agent", f"{rule.capitalize()} ({tz}) I will remind you to {found[4]}.")
        elif text.lower() == "bake bread":
            run = await self.tasks.run(self.bake, idempotency_key="the oven", retain=False)
            if run.accepted:
                self.set_state({**self.state, "done": []})
            self.post("agent", "I start at once." if run.accepted else "One loaf at a time, please.")
        else:
            self.post("agent", HELP)

    @callable
    async def pending(self) -> list[dict[str, object]]:
        return [{"id": one.id, "at": one.time_ms, "reminder": one.payload} for one in await self.list_schedules()]

    @callable
    async def forget(self, schedule_id: str) -> None:
        if await self.cancel_schedule(schedule_id):
            self.post("agent", "Forgotten.")

    def remind(self, payload):
        self.post("bell", payload["text"])

    @task
    async def bake(self, step):
        """Wait without memory, do, note; again and again. After a crash it goes on behind the last step it noted."""
        for name, seconds in RECIPE:
            await step.sleep(f"until {name}", seconds)
            await step.do(name, self.note, name)
        await step.do("tell", self.post, "agent", "The bread is ready.")

    def note(self, name):
        self.set_state({**self.state, "done": [*self.state["done"], name]})

    def post(self, who, text):
        messages = self.state["messages"]
        message = {"id": messages[-1]["id"] + 1 if messages else 1, "who": who, "text": text}
        self.set_state({**self.state, "messages": [*messages, message][-50:]})

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("call say() instead")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
