"""The children of one agent: creating, calling, deleting them, and letting clients through to them.

The row of a child is written before the child, and deleted before it: what is listed exists, also after a crash.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.jobs.port import SUB_AGENTS
from agents_runtime._core.peer import CurrentAgent
from agents_runtime._core.spelling import did_you_mean
from agents_runtime._platform.base import headers_of, is_request, is_response, make_response, with_url
from agents_runtime._platform.child.identity import Step, facet_key, identity_of, make_step, owner_key
from agents_runtime.context import run_in
from agents_runtime.errors import UsageError
from agents_runtime.routing.handle import AgentHandle, call_entry
from agents_runtime.routing.hooks import Rejection
from agents_runtime.routing.messages import HttpRequest, Response, is_upgrade, without_internal_headers
from agents_runtime.routing.urls import SUB_PREFIX, camel_case_to_kebab_case
from agents_runtime.sub_agents.desk import Desk, has_gone
from agents_runtime.sub_agents.errors import TooManySubAgents, UnknownSubAgent
from agents_runtime.sub_agents.front import Carried, Front, child_front
from agents_runtime.sub_agents.handover import adopt, owner_of, packed_job
from agents_runtime.sub_agents.hops import SubAgentRoute, closing_of, find_hop, segments_of
from agents_runtime.sub_agents.registry import Registry
from agents_runtime.sub_agents.starting import waits_for_a_start
from agents_runtime.sub_agents.stubs import ChildStub, packed, unpacked

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job, Outcome
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._platform.child.uplink import Batch
    from agents_runtime._platform.ports import Socket, Stub

logger = logging.getLogger("agents_runtime")

DELETE = "delete"
MAX_KEY_BYTES = 256
"""The platform's limit for class and name of a child, with one byte between them."""

MAX_DEPTH = 4
"""The platform's limit for the chain from the root to the deepest child, both counted."""

Gate = Callable[..., Any]
"""The user's `on_before_sub_agent`."""


class SubAgents(Capability):
    """The children of one agent."""

    def __init__(
        self,
        around: Surroundings,
        own: Callable[[], Step],
        agent_classes: Callable[[], Collection[str]],
        gate: Gate,
        *,
        limit: int,
    ) -> None:
        platform = around.platform
        self._around = around
        self._facets = platform.facets
        self._agent_classes = agent_classes
        self._gate = gate
        self._limit = limit
        self._segments: dict[str, str] | None = None
        self._admitted: set[tuple[str, str]] = set()
        self._identities: dict[tuple[str, str], str] = {}
        self._creating: dict[tuple[str, str], asyncio.Future[None]] = {}
        self.registry = Registry(platform.sql)
        self.front: Front = child_front(platform) or Desk(around, own, self.ask_path)
        around.jobs.register(SUB_AGENTS, self._finish_deletion, fn=DELETE)

    # Names

    @property
    def segments(self) -> dict[str, str]:
        """The classes of sub-agents by their form in a URL."""
        if self._segments is None:
            agents = self._agent_classes()
            self._segments = segments_of(name for name in self._facets.classes() if name in agents)
        return self._segments

    def step_of(self, cls: type | str, name: object) -> Step:
        """The step to a child. Raises UsageError when there can be none like it."""
        class_name = cls if isinstance(cls, str) else cls.__name__
        if camel_case_to_kebab_case(class_name) == SUB_PREFIX:
            raise UsageError(f"a class named {class_name} cannot be a sub-agent: its URL would have /sub/sub/ in it")
        known = self.segments.values()
        if class_name not in known:
            raise UsageError(
                f"the worker's main module has no Agent class {class_name!r}{did_you_mean(class_name, set(known))}: "
                "import it there, under its own name"
            )
        if not isinstance(name, str) or not name:
            raise UsageError(f"the name of a sub-agent is a text that is not empty, not {name!r}"[:300])
        if "\0" in name:
            raise UsageError("the name of a sub-agent must not contain NUL")
        try:
            size = len(facet_key(class_name, name).encode())
        except UnicodeEncodeError:
            raise UsageError("the name of a sub-agent must be valid Unicode") from None
        if size > MAX_KEY_BYTES:
            raise UsageError(
                f"the names of a sub-agent and of its class may have {MAX_KEY_BYTES - 1} bytes together, these have "
                f"{size - 1}: {name[:60]!r}"
            )
        return make_step(class_name, name)

    # Life and death

    async def ensure(self, step: Step) -> None:
        """Create a child if it is not there; it has started then.

        Raises:
            UsageError: there may be no more of them, or none so deep.
            RemoteError: it could not start. It is not there then.
        """
        key = _key(step)
        if self.registry.has(*key) and key not in self._creating:
            return
        creating = self._creating.get(key)
        if creating is not None:
            await asyncio.shield(creating)
            return
        creating = self._creating[key] = asyncio.get_running_loop().create_future()
        try:
            await self._create(step)
        except BaseException as error:
            if isinstance(error, Exception):
                creating.set_exception(error)
                creating.exception()  # nobody else may be waiting
            else:
                creating.cancel()
            raise
        else:
            creating.set_result(None)
        finally:
            del self._creating[key]

    async def _create(self, step: Step) -> None:
        path = self.front.path
        if len(path) >= MAX_DEPTH:
            raise UsageError(
                f"sub-agents nest {MAX_DEPTH - 1} deep at most, and this agent is {MAX_DEPTH - 1} deep already"
            )
        if self.registry.count() >= self._limit:
            raise TooManySubAgents(self._limit)
        _ = self.front.root  # or the child could never reach it
        await self._finish_deletion_of(step)
        platform = self._around.platform
        self.registry.add(*_key(step), platform.clock.now_ms(), self._identity(step))
        await platform.committed()
        try:
            await self.ask(step, "start", None)
        except Exception:
            self.registry.remove(*_key(step))
            self._remove(step)
            raise

    async def delete(self, step: Step) -> None:
        """Delete a child, everything it stored, and everything in it. One that is not there is fine."""
        key = _key(step)
        if not self.registry.has(*key):
            return
        platform = self._around.platform
        self.registry.remove(*key)
        now_ms = platform.clock.now_ms()
        self._around.jobs.push(SUB_AGENTS, DELETE, now_ms, job_id=_deletion(step), payload=dict(step))
        self.front.purge([*self.front.path, step])
        await platform.committed()
        await self._finish_deletion_of(step)

    async def _finish_deletion_of(self, step: Step) -> None:
        if self._around.jobs.get(SUB_AGENTS, _deletion(step)) is not None:
            self._remove(step)
            self._around.jobs.cancel(SUB_AGENTS, _deletion(step))

    async def _finish_deletion(self, job: Job) -> Outcome:
        """What a crash has interrupted."""
        step: Any = job.payload
        if not self.registry.has(*_key(step)):
            self._remove(step)
            self.front.purge([*self.front.path, step])
        return None

    def _remove(self, step: Step) -> None:
        self._admitted.discard(_key(step))
        self._identities.pop(_key(step), None)
        self._facets.delete(facet_key(*_key(step)))

    def abort(self, step: Step, reason: str) -> None:
        """Drop a child's memory."""
        self._facets.abort(facet_key(*_key(step)), reason)

    def forget(self, step: Step) -> None:
        """A child destroyed itself."""
        self.registry.remove(*_key(step))
        self._remove(step)

    # Calling

    def handle(self, step: Step) -> AgentHandle[Any]:
        """A handle on a child."""
        stub = ChildStub(self, step, self._identity(step))
        return AgentHandle(stub, lambda: stub, class_name=step["className"], name=step["name"])

    def _identity(self, step: Step) -> str:
        identity = self._identities.get(_key(step))
        if identity is None:
            identity = self._identities[_key(step)] = identity_of([*self.front.path, step])
        return identity

    def _stub(self, step: Step) -> Stub:
        return self._facets.get(facet_key(*_key(step)), step["className"], self._identity(step))

    async def ask(self, step: Step, op: str, payload: Carried) -> Carried:
        """Hand an operation to a child, do what it has to say besides, and return its answer.

        Raises:
            UnknownSubAgent: it is not there.
            RemoteError: what it raised.
        """
        if not self.registry.has(*_key(step)):
            raise UnknownSubAgent(*_key(step))
        # A task of its own: who gives up waiting must not lose what the child says besides.
        work = asyncio.ensure_future(self._exchange(step, op, payload))
        work.add_done_callback(_retrieve)
        return await asyncio.shield(work)

    async def _exchange(self, step: Step, op: str, payload: Carried) -> Carried:
        key = _key(step)
        path = [*self.front.path, step]
        envelope: dict[str, Any] = {"op": op, "payload": payload, "epoch": self.front.epoch}
        if self._around.is_starting() or waits_for_a_start():
            envelope["starting"] = True
        if key not in self._admitted:
            envelope["home"] = {**self.front.root, "path": path}
        answer = await call_entry(self._stub(step), "sub", envelope, step["className"])
        if answer.get("homeless"):
            envelope["home"] = {**self.front.root, "path": path}
            answer = await call_entry(self._stub(step), "sub", envelope, step["className"])
        self._admitted.add(key)
        batches: list[Batch] = answer["up"]
        if any(batch["path"] == path and has_gone(batch) for batch in batches):
            self.forget(step)  # before anybody learns that it destroyed itself
        self.front.take_up(batches)
        return answer["result"]

    async def ask_path(self, path: list[Step], op: str, payload: Carried) -> Carried:
        """Hand an operation to an agent below this one, or to this one, by its path from the root."""
        below = path[len(self.front.path) :]
        if not below:
            return await self.do_here(op, payload)
        if len(below) == 1:
            return await self.ask(below[0], op, payload)
        return unpacked(await self.ask(below[0], "down", {"path": path, "op": op, "payload": payload}))

    async def do_here(self, op: str, payload: Carried) -> Carried:
        """Do what another part of the tree asks of this agent itself."""
        if op != "forget":
            raise UsageError(f"there is no operation {op[:80]!r}")
        self.forget(payload["child"])

    async def hand_over(self, job: Job) -> None:
        """Give a job, which the JavaScript SDK has stored here, to the agent below that it belongs to."""
        try:
            await self.ask_path(owner_of(job), "adopt", packed_job(job))
        except UnknownSubAgent:
            logger.info("the job %s is dropped: its sub-agent is gone", job.id)

    async def adopt(self, given: dict[str, Any]) -> None:
        """Take over a job of this agent that its root has kept."""
        await self._around.ready()
        adopt(self._around.jobs, given)

    async def answer_down(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation for an agent below this one."""
        await self._around.ready()
        return await packed(self.ask_path(given["path"], given["op"], given["payload"]))

    async def answer_child(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation that somebody elsewhere has for a child, created if it is not there."""

        async def work() -> Carried:
            await self._around.ready()
            [wanted] = given["path"]
            step = self.step_of(wanted["className"], wanted["name"])
            await self.ensure(step)
            return await self.ask(step, given["op"], given["payload"])

        return await packed(work())

    async def fetch(self, step: Step, request: HttpRequest) -> Response:
        """Send a child an HTTP request, with its URL as it is."""
        await self.ask(step, "hello", None)
        response = await self._stub(step).fetch(request)
        with suppress(UnknownSubAgent):
            await self.ask(step, "hello", None)  # and take in what it has to say, before it is answered
        return response

    # Clients

    async def take_up(self, batches: list[Batch]) -> None:
        """Do what an agent below says of its own accord."""
        await self._around.ready()
        self.front.take_up(batches)

    async def pass_on(self, socket: Socket, what: str, given: dict[str, Any]) -> None:
        """Hand what came on the WebSocket of an agent below this one to that agent."""
        await self._around.ready()
        await self.front.pass_on(socket, what, given)

    async def serve(self, request: HttpRequest) -> Response | None:
        """Let a request through to the child that its URL names. None: it names none."""
        hop = find_hop(request.url, self.segments)
        if hop is None:
            return None
        try:
            step = self.step_of(hop.class_name, hop.name)
        except UsageError:
            return make_response("Bad Request", 400)
        request = without_internal_headers(request)
        upgrade = is_upgrade(request)
        answer, chosen = await self._ask_gate(request, SubAgentRoute(hop.class_name, hop.name), upgrade=upgrade)
        if answer is not None:
            return answer
        try:
            await self.ensure(step)
        except UsageError as error:
            return self._refused(make_response(error.public_message, 404), upgrade=upgrade)
        if not upgrade:
            return await self.fetch(step, with_url(chosen, hop.url))
        given = {"url": hop.url, "headers": [[name, value] for name, value in headers_of(chosen)]}
        return await self.front.connect(step, lambda socket_id: self.ask(step, "connect", {"id": socket_id, **given}))

    async def _ask_gate(
        self, request: HttpRequest, route: SubAgentRoute, *, upgrade: bool
    ) -> tuple[Response | None, HttpRequest]:
        """Ask the user's `on_before_sub_agent`. Returns its answer, or None and the request to hand on."""
        answer: Any = await run_in(CurrentAgent(self._around.agent, None, request), self._gate, request, route)
        if answer is None:
            return None, request
        if isinstance(answer, Rejection):
            if upgrade:
                return self._around.platform.sockets.refuse(answer.code, answer.reason), request
            return answer.response(request), request
        if is_response(answer):
            return self._refused(answer, upgrade=upgrade), request
        if is_request(answer):
            return None, without_internal_headers(answer)
        kind = type(answer).__name__
        raise UsageError(f"on_before_sub_agent must return a Response, a Request, reject() or None, not {kind}")

    def _refused(self, response: Response, *, upgrade: bool) -> Response:
        """The answer to a request that may not go on. Of an upgrade clients can read only the code of a close."""
        if not upgrade:
            return response
        return self._around.platform.sockets.refuse(*closing_of(int(response.status)))


def _key(step: Step) -> tuple[str, str]:
    return step["className"], step["name"]


def _deletion(step: Step) -> str:
    return f"sub-delete:{owner_key([step])}"


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Take note of a failure that perhaps nobody waits for any more."""
    if not task.cancelled():
        task.exception()
