"""Tools that take long: the call becomes a durable task, and the client asks how it stands.

This is the extension `io.modelcontextprotocol/tasks` for clients of the modern era. A task has an object of its own,
whose id is the task's: it is found from the id alone, and goes away with all it stored when its time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from agents_runtime.mcp.protocol.messages import McpError, Params, Request
from agents_runtime.mcp.protocol.results import INPUT_REQUIRED, TASK, type_of
from agents_runtime.mcp.protocol.versions import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    MISSING_CLIENT_CAPABILITY,
    PROGRESS_TOKEN_KEY,
    TASKS_EXTENSION,
)
from agents_runtime.mcp.server.auth import AUTH, AuthInfo
from agents_runtime.mcp.server.caller import NO_WAY_BACK, Caller, Outbound
from agents_runtime.mcp.server.dispatch import serve

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.server.server import McpServer
    from agents_runtime.mcp.tools.declare import TaskSupport

RUN = "call"
"""The id of the one run in the object of a task."""

POLL_INTERVAL_MS = 1_000
MAX_ROUNDS = 100
MAX_ATTEMPTS = 5
LONGEST_CALL_S = 7 * 24 * 3600.0
TASK_METHODS = ("tasks/get", "tasks/update", "tasks/cancel")

NEEDED: Any = {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}}
STATUS: Mapping[str, str] = {"completed": "completed", "failed": "failed", "cancelled": "cancelled"}

Mode = Literal["plain", "may become", "refuses", "task"]
MODE: ContextVar[Mode] = ContextVar("agents_runtime_mcp_task_mode", default="plain")
"""How the tool is being called that runs now."""


class BecomesTask(BaseException):
    """Ends a tool that is to go on as a task. It is no error, so `except Exception` does not catch it."""


def continue_as_task() -> None:
    """Let the rest of this tool call run as a durable task; for a tool with `task="later"`.

    Ask what you need first: the client gets the questions as usual. Here it gets a task instead of a result, and the
    tool **runs again from its beginning**, as the task, with the answers. There this does nothing.

    Raises:
        McpError: the client does not know tasks.
    """
    mode = MODE.get()
    if mode == "may become":
        raise BecomesTask
    if mode == "refuses":
        raise missing_capability()


class RunInfo(Protocol):
    """What is known about a durable run."""

    @property
    def state(self) -> str:
        """Where it stands."""
        ...

    @property
    def result(self) -> Json:
        """What it returned, once it is completed."""
        ...

    @property
    def status(self) -> str | None:
        """What it said last of its progress."""
        ...

    @property
    def error_message(self) -> str | None:
        """Why it failed."""
        ...

    @property
    def created_at_ms(self) -> int:
        """When it was asked for."""
        ...

    @property
    def started_at_ms(self) -> int | None:
        """When it began."""
        ...

    @property
    def settled_at_ms(self) -> int | None:
        """When it ended."""
        ...


class DurableStep(Protocol):
    """What a durable run does its work with."""

    async def do(self, name: str, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Call a function once, and journal what it returns."""
        ...

    async def wait_for_approval(self, name: str, details: object = ..., *, request_id: str | None = ...) -> Any:  # noqa: ANN401 - JSON
        """Wait for an answer, without any memory."""
        ...

    def status(self, text: str) -> object:
        """Say how far it is."""
        ...


@dataclass(frozen=True, slots=True)
class Durability:
    """The durable tasks of the agent, as far as they are needed here.

    Attributes:
        start: begins the run; it is stored when this returns.
        find: the run; None when there is none.
        cancel: ends it.
        questions: what the run waits to be told, by the ids of the questions.
        tell: answers one.
    """

    start: Callable[[Params], Awaitable[None]]
    find: Callable[[], RunInfo | None]
    cancel: Callable[[], bool]
    questions: Callable[[], Mapping[str, Any]]
    tell: Callable[[str, Params], None]


class TaskExtension:
    """The extension, for the server of one object.

    Args:
        task_id: the id that a task of this object has.
        durability: the agent's durable tasks.
        keep: stores what the object needs to outlive its memory, when a task begins.
        ttl_ms: how long a task stays after it was created.
        owner: gives whose the task is.
    """

    def __init__(
        self,
        task_id: str,
        durability: Durability,
        keep: Callable[[Caller], None],
        ttl_ms: int,
        owner: Callable[[], str | None],
    ) -> None:
        self._task_id = task_id
        self._durability = durability
        self._keep = keep
        self._ttl_ms = ttl_ms
        self._owner = owner

    def install(self, server: McpServer) -> None:
        """Let a server answer for tasks."""
        call_tool = server.answers["tools/call"]

        async def call(request: Request, caller: Caller, outbound: Outbound) -> Params:
            name = request.params.get("name")
            offer = server.tools.get(name) if isinstance(name, str) else None
            support = None if offer is None or MODE.get() == "task" else offer.tool.task
            return await self._call(support, partial(call_tool, request, caller, outbound), request, caller)

        server.extensions[TASKS_EXTENSION] = {}
        server.methods["tools/call"] = call
        for method, answer in zip(TASK_METHODS, (self._get, self._update, self._cancel), strict=True):
            server.methods[method] = answer

    async def _call(
        self, support: TaskSupport | None, call_tool: Callable[[], Awaitable[Params]], request: Request, caller: Caller
    ) -> Params:
        if support is None:
            return await call_tool()
        if not knows_tasks(caller):
            if support == "required":
                raise missing_capability()
            MODE.set("refuses")
            return await call_tool()
        if support == "later":
            MODE.set("may become")
            try:
                return await call_tool()
            except BecomesTask:
                MODE.set("plain")
        return await self._create(request, caller)

    async def _create(self, request: Request, caller: Caller) -> Params:
        known = asdict(caller)
        if caller.auth is not None:
            known["auth"] = {**known["auth"], "token": ""}  # a token ends sooner than a task, and is no thing to store
        self._keep(caller)
        await self._durability.start({"params": request.params, "caller": known})
        info = self._durability.find()
        if info is None:
            raise McpError(INTERNAL_ERROR, "the task could not be started")
        return {"resultType": TASK, **self._described(info), "status": "working"}

    async def _get(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        info = self._found(request, caller)
        task = self._described(info)
        if info.state == "completed":
            return {**task, **_outcome(cast("Params", info.result))}
        if info.state == "failed":
            text = info.error_message or "The task failed"
            return {**task, "error": McpError(INTERNAL_ERROR, text).to_json()}
        if task["status"] == "input_required":
            return {**task, "inputRequests": dict(self._durability.questions())}
        return task

    async def _update(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        self._found(request, caller)
        given: object = request.params.get("inputResponses", {})
        if not isinstance(given, dict):
            raise McpError(INVALID_PARAMS, "inputResponses must be an object")
        waiting = self._durability.questions()
        for key, answer in cast("Params", given).items():
            if key in waiting and isinstance(answer, dict):
                self._durability.tell(key, cast("Params", answer))
        return {}

    async def _cancel(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        self._found(request, caller)
        self._durability.cancel()
        return {}

    def _found(self, request: Request, caller: Caller) -> RunInfo:
        if not knows_tasks(caller):
            raise missing_capability()
        info = self._durability.find() if request.params.get("taskId") == self._task_id else None
        owner = self._owner()
        if info is None or (owner is not None and owner != caller.principal):
            raise McpError(INVALID_PARAMS, "Unknown task")
        return info

    def _described(self, info: RunInfo) -> Params:
        status = STATUS.get(info.state, "working")
        if info.state == "completed" and "error" in cast("Params", info.result):
            status = "failed"
        elif status == "working" and self._durability.questions():
            status = "input_required"  # also while the run looks at one of several answers
        changed_ms = info.settled_at_ms or info.started_at_ms or info.created_at_ms
        described: Params = {
            "taskId": self._task_id,
            "status": status,
            "createdAt": _iso(info.created_at_ms),
            "lastUpdatedAt": _iso(changed_ms),
            "ttlMs": self._ttl_ms,
            "pollIntervalMs": POLL_INTERVAL_MS,
        }
        if info.status is not None:
            described["statusMessage"] = info.status
        return described


class StatusOutbound:
    """The way back from a task: what it says of its progress is its status; nobody hears the rest."""

    def __init__(self, step: DurableStep) -> None:
        self._step = step

    def notify(self, method: str, params: Mapping[str, Json]) -> None:
        """Keep the message of a progress."""
        message = params.get("message")
        if method == "notifications/progress" and isinstance(message, str):
            self._step.status(message)

    async def request(self, method: str, params: Mapping[str, Json]) -> Params:
        """Raise McpError: questions are asked in another way here."""
        return await NO_WAY_BACK.request(method, params)


async def run_call(server: McpServer, step: DurableStep, call: Params) -> Params:
    """Answer a tool call as a durable run: the response. Each round of questions is a step, and so is each answer.

    The tool runs at least once in each round: again, from its beginning, if the memory is lost meanwhile.
    """
    params: Params = call["params"]
    given: Params = call["caller"]
    auth = given.pop("auth", None)
    caller = Caller(**given, auth=None if auth is None else AuthInfo(**auth))

    async def work(params: Params) -> Params:
        MODE.set("task")
        params = {**params, "_meta": {PROGRESS_TOKEN_KEY: RUN, **params.get("_meta", {})}}  # progress is the status
        AUTH.set(caller.auth)
        return await serve(server, Request(0, "tools/call", params), caller, StatusOutbound(step))

    for number in range(MAX_ROUNDS):
        options = {"max_attempts": MAX_ATTEMPTS, "timeout": LONGEST_CALL_S}
        response: Params = await step.do(f"call {number}", work, params, **options)
        result: Params = response.get("result", {})
        if "error" in response or type_of(result) != INPUT_REQUIRED:
            return response
        questions: Mapping[str, Any] = result.get("inputRequests", {})
        answers = await asyncio.gather(
            *(
                step.wait_for_approval(f"ask {number} {index}", question, request_id=question_id(number, key))
                for index, (key, question) in enumerate(questions.items())
            )
        )
        params = {**call["params"], "inputResponses": dict(zip(questions, answers, strict=True))}
        if "requestState" in result:
            params["requestState"] = result["requestState"]
    raise McpError(INTERNAL_ERROR, f"the tool asked more than {MAX_ROUNDS} times")


QUESTION = "mcp:"
"""How the ids of a task's questions begin among the agent's requests for approval."""


def question_id(number: int, key: str) -> str:
    """The id of a question of a round."""
    return f"{QUESTION}{number}-{key}"[:500]


def knows_tasks(caller: Caller) -> bool:
    """Whether the caller has declared the extension."""
    extensions: object = caller.capabilities.get("extensions")
    return caller.is_modern and isinstance(extensions, dict) and TASKS_EXTENSION in extensions


def missing_capability() -> McpError:
    """The error for a client that would have to know tasks."""
    return McpError(MISSING_CLIENT_CAPABILITY, "this needs a client that knows tasks", NEEDED)


def _outcome(response: Params) -> Params:
    return {"error": response["error"]} if "error" in response else {"result": response.get("result", {})}


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
