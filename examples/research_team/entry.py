"""A team that looks into a question: one agent leads, each of its sub-agents researches one aspect, all at once."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, callable, reject, route_agent_request, task
from workers import Response, WorkerEntrypoint

ASPECTS = ["history", "science", "people", "numbers"]
SOURCES = ["archive", "library", "interviews"]
READING_S = {"history": 1, "science": 1.5, "people": 0.5, "numbers": 2}


def think(aspect: str, question: str, source: str | None = None) -> str:
    """Stands for a language model: what a source says about an aspect, or what all of them come to."""
    if source is None:
        return f"The {aspect} of “{question}” can be told from {len(SOURCES)} sources."
    return f"The {source} has {len(question) * len(source)} words on the {aspect} of it."


class Researcher(Agent):
    """Looks into one aspect, step by step. It has notes and a journal of its own, and lives inside its team."""

    initial_state = {"notes": []}

    async def begin(self, question):
        await self.tasks.run(self.look_into, question, idempotency_key="the question")

    @task
    async def look_into(self, step, question):
        for number, source in enumerate(SOURCES, 1):
            await step.sleep(f"until {source}", READING_S[self.name])
            await step.do(source, self.read, question, source)
            await step.do(f"tell of {source}", self.tell, number, None)
        await step.do("conclude", self.tell, len(SOURCES), think(self.name, question))

    def read(self, question, source):
        notes = [note for note in self.state["notes"] if note["source"] != source]
        self.set_state({"notes": [*notes, {"source": source, "text": think(self.name, question, source)}]})

    async def tell(self, read, finding):
        team = await self.parent_agent(Team)
        await team.hear(self.name, read, finding)

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("only the researcher writes notes")


class Team(Agent):
    """Leads: sends a researcher out for each aspect, hears how far they are, and puts together what they find."""

    initial_state = {"question": None, "aspects": {}, "answer": None}

    @callable
    async def ask(self, question: str) -> None:
        question = question.strip()[:200]
        if not question:
            return
        for researcher in self.list_sub_agents(Researcher):
            await self.delete_sub_agent(Researcher, researcher.name)
        aspects = {aspect: {"read": 0, "finding": None} for aspect in ASPECTS}
        self.set_state({"question": question, "aspects": aspects, "answer": None})
        await self.tasks.run(self.send_out, question, retain=False)

    @task
    async def send_out(self, step, question):
        """As a task, so that all researchers set out although the server may be killed in between."""
        await asyncio.gather(*(step.do(aspect, self.send, aspect, question) for aspect in ASPECTS))

    async def send(self, aspect, question):
        if question == self.state["question"]:
            researcher = await self.sub_agent(Researcher, aspect)
            await researcher.begin(question)

    def hear(self, aspect, read, finding):
        """Called by the researchers. Hearing the same twice, after a crash, changes nothing."""
        aspects = {**self.state["aspects"], aspect: {"read": read, "finding": finding}}
        findings = [aspects[each]["finding"] for each in ASPECTS]
        answer = " ".join(findings) if all(findings) else None
        self.set_state({**self.state, "aspects": aspects, "answer": answer})

    def on_before_sub_agent(self, request, child):
        if not self.has_sub_agent(child.class_name, child.name):
            return reject(4404, "no such researcher")

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("call ask() instead")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
