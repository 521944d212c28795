"""Receiving a mail inside the agent: `on_email` runs here, what it asks for is done by the worker that got the mail.

The worker calls the agent; the agent answers with the first thing that `on_email` wants done; the worker does it and
calls again with the outcome, and so on until `on_email` is done. Only plain data crosses, nothing refers back, and as
every answer waits for the writes made before it, no reply leaves before what it rests on is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import nanoid
from agents_runtime._core.peer import CurrentAgent
from agents_runtime.context import run_in
from agents_runtime.email.agent_email import AgentEmail
from agents_runtime.email.headers import EmailHeaders
from agents_runtime.errors import RemoteError, RetryableError, UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.surroundings import Surroundings

logger = logging.getLogger("agents_runtime")

WORKER_LIMIT_S = 60.0
"""How long the agent waits for the worker to have done something, before it takes the worker for lost."""
MAX_OPEN = 100
"""So many mails may one agent handle at once."""

Answer = dict[str, Any]


class Exchange:
    """One mail that is being handled: a question at a time goes to the worker, and its outcome comes back."""

    def __init__(self, exchange_id: str, sleep: Callable[[float], Any]) -> None:
        self.id = exchange_id
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._said: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._outcome: asyncio.Future[Mapping[str, Any]] | None = None

    async def ask(self, action: dict[str, object]) -> Json:
        """Have the worker do something; called by `on_email`.

        Raises:
            RemoteError: it failed there.
            RetryableError: the worker is gone.
        """
        self._pending += 1
        self._idle.clear()
        try:
            return await self._ask(action)
        finally:
            self._pending -= 1
            if not self._pending:
                self._idle.set()

    async def finish(self) -> None:
        """Wait for what was begun and is not awaited by anybody."""
        await self._idle.wait()

    async def _ask(self, action: dict[str, object]) -> Json:
        async with self._turn:
            outcome = self._outcome = asyncio.get_running_loop().create_future()
            self.say({"exchange": self.id, "ask": action})
            timer = asyncio.ensure_future(self._sleep(WORKER_LIMIT_S))
            try:
                await asyncio.wait({outcome, timer}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                self._outcome = None
            if not outcome.done():
                raise RetryableError(f"the worker that received the mail did not answer within {WORKER_LIMIT_S:g} s")
        given = outcome.result()
        if (problem := given.get("error")) is not None:
            raise RemoteError(str(problem))
        result: Json = given.get("result")
        return result

    def say(self, answer: Answer) -> None:
        """Let the worker's call return."""
        if not self._said.done():
            self._said.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Let the worker's call fail."""
        if not self._said.done():
            self._said.set_exception(error)
            self._said.exception()  # the worker may be gone, and then nobody asks for it

    async def next(self) -> Answer:
        """Wait for what there is to do, or for the end."""
        answer = await asyncio.shield(self._said)
        self._said = asyncio.get_running_loop().create_future()
        return answer

    async def go_on(self, outcome: Mapping[str, Any]) -> Answer:
        """Hand over what became of the last question, and wait for the next.

        Raises:
            UsageError: nothing was asked.
        """
        waiting = self._outcome
        if waiting is None or waiting.done():
            raise UsageError("the mail waits for nothing")
        waiting.set_result(outcome)
        return await self.next()


class Inbox(Capability):
    """The mails that one agent is handling."""

    def __init__(self, surroundings: Surroundings, hook: Callable[[AgentEmail], object]) -> None:
        self._around = surroundings
        self._hook = hook
        self._open: dict[str, Exchange] = {}

    async def handle(self, given: Mapping[str, Any]) -> Answer:
        """Take a mail, or the outcome of what was asked for while one is handled. Called by the router.

        Raises:
            RetryableError: the agent is busy, or has lost its memory meanwhile: the mail is to be sent again.
            Exception: what `on_email` raised.
        """
        exchange_id = given.get("exchange")
        if exchange_id is None:
            return await self._receive(given)
        exchange = self._open.get(str(exchange_id))
        if exchange is None:
            raise RetryableError("the agent lost its memory while it handled the mail, which is to be sent again")
        return await exchange.go_on(given)

    async def _receive(self, given: Mapping[str, Any]) -> Answer:
        await self._around.ready()
        if len(self._open) >= MAX_OPEN:
            raise RetryableError(f"the agent is handling {MAX_OPEN} mails already")
        platform = self._around.platform
        exchange = Exchange(nanoid(platform.entropy.random_bytes), platform.clock.sleep)
        headers = EmailHeaders((str(name), str(value)) for name, value in given["headers"])
        mail = AgentEmail(
            str(given["from"]), str(given["to"]), headers, bytes(given["raw"]),
            agent_name=str(given["agent"]), is_secure=given.get("secure") is True, ask=exchange.ask,
        )  # fmt: skip
        self._open[exchange.id] = exchange
        platform.spawn(self._run(exchange, mail))
        return await exchange.next()

    async def _run(self, exchange: Exchange, mail: AgentEmail) -> None:
        try:
            self._around.emit("email:receive", describe(mail.from_, mail.to, mail.subject))
            await run_in(CurrentAgent(self._around.agent, None, None, mail), self._hook, mail)
            await exchange.finish()
            exchange.say({"done": True, "rejected": mail.reject_reason})
        except Exception as error:
            await self._around.report(error)
            exchange.fail(error)
        finally:
            mail._end()  # pyright: ignore[reportPrivateUsage] # users must not end a mail
            self._open.pop(exchange.id, None)
            exchange.fail(RetryableError("the agent was stopped while it handled the mail"))


def describe(from_: str, to: str, subject: str) -> dict[str, Json]:
    """The payload of an event about a mail."""
    return {"from": from_, "to": to, **({"subject": subject} if subject else {})}
