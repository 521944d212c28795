"""A real server is killed with SIGKILL while mails come in and go out: those acknowledged are kept, answers arrive.

The moments of the kills come from a seed, which is printed; AGENTS_KILL_SEED=<seed> repeats them.
"""

import asyncio
import email
import email.policy
import json
import logging
import os
import random
import textwrap
from collections import Counter

import httpx
import pytest

from tests.crash.test_sigkill import ServerProcess
from tests.mail_server import OK, content_of, post_office

logger = logging.getLogger(__name__)

ROUNDS = 6
LONGEST_LOAD_S = 0.8
DELIVERED_WITHIN_S = 25.0
TOKEN = "only-for-this-test"

WRANGLER = """
    name = "post"
    main = "post_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Desk"
    class_name = "Desk"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Desk"]
"""

MAIN = """
    import json

    from agents_runtime import Agent, create_address_based_email_resolver, route_agent_email, route_agent_request
    from workers import Response, WorkerEntrypoint

    class Desk(Agent):
        def on_start(self):
            self.sql("CREATE TABLE IF NOT EXISTS mails (id TEXT, text TEXT)")

        async def on_email(self, email):
            self.sql("INSERT INTO mails VALUES (?, ?)", email.message_id, email.text)
            await self.reply_to_email(email, body="Noted: " + email.text)

        async def on_request(self, request):
            return Response(json.dumps([row["id"] for row in self.sql("SELECT id FROM mails")]))

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)

        async def email(self, message):
            await route_agent_email(message, self.env, create_address_based_email_resolver("desk"))
"""


async def deliver(port, name, turn, acknowledged):
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as client:
        for number in range(1_000):
            message_id = f"<{name}-{turn}-{number}@example.com>"
            raw = f"From: ada@example.com\r\nSubject: hi\r\nMessage-ID: {message_id}\r\n\r\n{'x' * 500}\r\n"
            path = f"/cdn-cgi/handler/email?from={name}@example.com&to=desk%2B{name}@example.org"
            try:
                answer = await client.post(path, content=raw)
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            acknowledged[name].append(message_id)


async def noted(port, name):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        return json.loads((await client.get(f"/agents/desk/{name}")).text)


@pytest.mark.slow
async def test_acknowledged_mails_and_their_answers_survive_kills(tmp_path, monkeypatch):
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    logger.warning("AGENTS_KILL_SEED=%d", seed)
    moments = random.Random(seed)
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "post_main.py").write_text(textwrap.dedent(MAIN))
    names = ("one", "two")
    acknowledged = {name: [] for name in names}
    refused: Counter[bytes] = Counter()

    def take_or_refuse(envelope):
        """Refuse one in five, and none so often that its next attempt is far away."""
        if moments.random() >= 0.2 or refused[content_of(envelope)] == 3:
            return OK
        refused[content_of(envelope)] += 1
        return "451 try again later"

    with post_office(take_or_refuse) as office:
        monkeypatch.setenv("AGENTS_SMTP_URL", office.url)
        monkeypatch.setenv("AGENTS_MAIL_TOKEN", TOKEN)
        for turn in range(ROUNDS):
            async with ServerProcess(tmp_path) as server:
                load = [asyncio.create_task(deliver(server.port, name, turn, acknowledged)) for name in names]
                await asyncio.sleep(moments.uniform(0.1, LONGEST_LOAD_S))
                server.kill()
                await asyncio.gather(*load)
        async with ServerProcess(tmp_path) as server:
            stored = {name: Counter(await noted(server.port, name)) for name in names}
            wanted = {message_id for name in names for message_id in acknowledged[name]}
            async with asyncio.timeout(DELIVERED_WITHIN_S):
                while not wanted <= answered(office):
                    await asyncio.sleep(0.2)
    assert len(wanted) > ROUNDS, f"too few to prove anything; AGENTS_KILL_SEED={seed}"
    for name in names:
        assert set(acknowledged[name]) <= set(stored[name]), f"a mail was lost; AGENTS_KILL_SEED={seed}"
        assert max(stored[name].values()) == 1, "none was handled twice, as none was sent twice"
    everything = {message_id for name in names for message_id in stored[name]}
    assert answered(office) <= everything, "no answer left before its mail was stored"
    ids = Counter(reply["message-id"] for reply in replies(office))
    assert sum(ids.values()) - len(ids) <= ROUNDS, "a kill repeats the mail that it interrupts, and no other"


def replies(office):
    return [
        email.message_from_bytes(content_of(envelope), policy=email.policy.default) for envelope in list(office.taken)
    ]


def answered(office):
    return {reply["in-reply-to"] for reply in replies(office)}
