"""A chat room: messages in the agent's own SQL table, presence and typing in its connections, a bot that streams."""

from __future__ import annotations

import asyncio
import json
import time

from agents_runtime import Agent, Connection, callable, get_current_agent, route_agent_request
from workers import Response, WorkerEntrypoint

KEPT_MESSAGES = 200


class ChatRoom(Agent):
    """One room. Everything below runs in one thread of one object, so nothing needs a lock."""

    def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, who TEXT, text TEXT, at INTEGER)")

    def on_connect(self, connection, ctx):
        rows = self.sql("SELECT id, who, text, at FROM messages ORDER BY id")
        connection.send(json.dumps({"type": "history", "messages": rows}))

    def on_close(self, connection, code, reason, was_clean):
        self.tell_who_is_here()

    @callable
    def join(self, name: str) -> None:
        """Say who is behind this connection. Kept with the connection, also while the agent sleeps."""
        self.caller().set_state({"name": name.strip()[:24] or "Somebody", "typing": False})
        self.tell_who_is_here()

    @callable
    def typing(self, is_typing: bool) -> None:
        self.caller().set_state({"name": self.name_of(self.caller()), "typing": is_typing})
        self.tell_who_is_here()

    @callable
    def say(self, text: str) -> None:
        if text := text.strip()[:2000]:
            self.post(self.name_of(self.caller()), text)

    @callable(streaming=True)
    async def ask(self, question: str):
        """Answer word by word: each `yield` is a frame to the caller; the whole answer becomes a message."""
        [found] = self.sql("SELECT count(*) AS rows, count(DISTINCT who) AS names FROM messages")
        answer = (
            f"You asked “{question.strip()[:80]}”. I am only a method of this room, but I can count. "
            f"Rows in my table: {found['rows']}. Names among them: {found['names']}. "
            f"Windows open right now: {len(list(self.get_connections()))}."
        )
        for word in answer.split(" "):
            yield word + " "
            await asyncio.sleep(0.08)
        self.post("Bot", answer)

    def post(self, who: str, text: str) -> None:
        at = int(time.time() * 1000)
        row = self.sql("INSERT INTO messages (who, text, at) VALUES (?, ?, ?) RETURNING *", who, text, at)[0]
        self.sql("DELETE FROM messages WHERE id <= ?", row["id"] - KEPT_MESSAGES)
        self.broadcast({"type": "message", "message": row})

    def caller(self) -> Connection:
        connection = get_current_agent().connection
        assert isinstance(connection, Connection)
        return connection

    def name_of(self, connection: Connection) -> str:
        return (connection.state or {}).get("name", "Somebody")

    def tell_who_is_here(self) -> None:
        people = [connection.state for connection in self.get_connections() if connection.state]
        self.broadcast({"type": "people", "people": people})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
