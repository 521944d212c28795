"""An agent that does with a mail what its text says."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent
from agents_runtime.errors import RemoteError


class Mailed(Agent):
    initial_state: dict = {"mails": [], "noted": None}

    async def on_email(self, email):
        entry = [email.from_, email.to, email.subject, (email.text or "").strip(), email.raw_size]
        self.set_state({**self.state, "mails": [*self.state["mails"], entry]})
        for line in (email.text or "").splitlines():
            command, _, rest = line.partition(" ")
            await getattr(self, f"_{command}")(email, rest)

    async def _hello(self, email, rest):
        self.set_state({**self.state, "noted": [email.message_id, email.html, email.headers["X-Custom"]]})

    async def _reply(self, email, rest):
        await self.reply_to_email(email, from_name="Désk", body=rest, secret="s3cret")

    async def _dict(self, email, rest):
        await self.reply_to_email({"to": email.from_, "subject": "Sure", "text": rest})

    async def _forward(self, email, rest):
        await email.forward(rest, {"X-Note": "please"})

    async def _try(self, email, rest):
        try:
            await email.forward(rest)
        except RemoteError as error:
            self.set_state({**self.state, "noted": str(error)})

    async def _wait(self, email, rest):
        await asyncio.sleep(float(rest))

    async def _reject(self, email, rest):
        email.set_reject(rest)

    async def _fail(self, email, rest):
        raise ValueError(rest)

    async def _size(self, email, rest):
        self.set_state({**self.state, "noted": len(await email.get_raw())})

    async def _bomb(self, email, rest):
        self.set_state({**self.state, "noted": "still here"})

    async def _send(self, email, rest):
        result = await self.send_email(
            self.env.EMAIL, to=[rest], from_={"email": "desk@example.org", "name": "Désk"}, subject="Grüße",
            text="text", html="<b>html</b>", headers={"X-Tag": "t"},
        )  # fmt: skip
        self.set_state({**self.state, "noted": result})

    def on_error(self, *args):
        """Expected here."""

    async def report(self):
        return self.state
