"""AgentWorkflow: what users subclass for work that goes on for long, and knows the agent that started it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from agents_runtime._core.capability import DONE, Done
from agents_runtime._core.durations import Duration, duration_ms
from agents_runtime._core.jsonx import plain
from agents_runtime._core.spelling import did_you_mean, snake_case
from agents_runtime._platform.workflows import WorkflowEntrypoint
from agents_runtime.errors import ApprovalExpired, DefinitionError, NotJson, UsageError
from agents_runtime.routing.handle import error_line
from agents_runtime.workflows.errors import WorkflowRejected
from agents_runtime.workflows.line import Line
from agents_runtime.workflows.params import split
from agents_runtime.workflows.step import AgentWorkflowStep

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.routing.handle import AgentHandle

AgentType = TypeVar("AgentType")
Run = Callable[..., Awaitable[Any]]

APPROVAL_STEP = "wait-for-approval"
APPROVAL_EVENT = "approval"
_TIMEOUT = "24 hours"
_ABORTED = ("WorkflowAbortedError", "Aborting engine:")
"""How the platform says that this run of the code is over, though the workflow may not be."""


class AgentWorkflow(WorkflowEntrypoint, Generic[AgentType]):
    """A workflow that an agent started: durable steps that survive crashes, restarts and deploys.

    Subclass it and write `async def run(self, event, step)`. `event["payload"]` are the params of `run_workflow`,
    `self.agent` calls the agent, `step` has the platform's steps and more. The code is run again from the top after
    every wait and every crash, and a step that was done gives its result instead of running again: what has effects
    belongs into steps. What `run` returns or raises is told to the agent without being asked.

    `AgentWorkflow[Orders]` types the handle. It runs on its own as well, without an agent, started by its binding.
    """

    _line: Line | None = None
    _id: str | None = None
    _name: str | None = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        own = vars(cls).get("run")
        if own is not None:
            if not iscoroutinefunction(own):
                raise DefinitionError(f"{cls.__name__}.run must be `async def run(self, event, step)`")
            type.__setattr__(cls, "run", cls._conducted(own))  # before the SDK wraps it in its turn
        super().__init_subclass__(**kwargs)

    async def run(self, event: Any, step: Any) -> Any:  # noqa: ANN401 - the platform's event, the user's result
        """Do the work. Write this."""
        raise UsageError(f"{type(self).__name__} has no run: write `async def run(self, event, step)`")

    # Who it is

    @property
    def agent(self) -> AgentHandle[AgentType]:
        """The agent that started the workflow: `await self.agent.note("done")` calls its method.

        Calls are not durable: make them inside steps where repeating them would harm.

        Raises:
            UsageError: no agent started it.
        """
        return self._required_line().handle()

    @property
    def workflow_id(self) -> str:
        """The id of this instance."""
        return self._id or ""

    @property
    def workflow_name(self) -> str:
        """The binding that the agent started it with; the workflow's own name where no agent did."""
        return self._name or ""

    # Telling the agent

    async def report_progress(self, progress: object) -> None:
        """Tell the agent how far it is: `{"step": "charge", "status": "running", "percent": 0.4}`, or any JSON.

        Its `on_workflow_progress` is called before this returns. Not durable: a replay repeats it.
        """
        line = self._required_line()
        await line.say(line.callback("progress", progress=plain(progress, "progress")))

    async def broadcast_to_clients(self, message: object) -> None:
        """Send something to every client of the agent. Not durable: a replay repeats it."""
        line = self._required_line()
        await line.say({"kind": "broadcast", "message": plain(message, "message")})

    async def wait_for_approval(
        self,
        step: AgentWorkflowStep,
        *,
        step_name: str = APPROVAL_STEP,
        timeout: Duration = _TIMEOUT,
        event_type: str = APPROVAL_EVENT,
    ) -> Any:  # noqa: ANN401 - the user's own JSON
        """Wait until somebody calls `agent.approve_workflow(id)`; returns the metadata given there.

        Meanwhile the agent tracks the workflow as `waiting`.

        Args:
            timeout: seconds, timedelta or text; at most a year.

        Raises:
            WorkflowRejected: somebody refused. Unless you catch it, the workflow has failed with the reason.
            ApprovalExpired: nobody decided in time.
        """
        about = {"workflowId": self.workflow_id}
        if self._line is not None:
            await step.tell("waiting", {"kind": "waiting", **about})
        try:
            event = await step.wait_for_event(step_name, event_type, timeout=duration_ms(timeout, "timeout"))
        except Exception as error:
            if _says(error, "WorkflowTimeoutError"):
                raise ApprovalExpired(self.workflow_id) from error
            raise
        if self._line is not None:
            await step.tell("resumed", {"kind": "resumed", **about})
        decision = cast("Mapping[str, Any]", event["payload"] or {})
        if decision.get("approved"):
            return plain(decision.get("metadata"))
        reason = decision.get("reason")
        raise WorkflowRejected(reason if isinstance(reason, str) else None, self.workflow_id)

    # By hand

    @classmethod
    def create(cls, options: Mapping[str, object] | str | None = None, /, *, env: Any = None, ctx: Any = None) -> Self:  # noqa: ANN401 - the platform's
        """Make a workflow by hand, to call its methods: `AgentWorkflow.create({"name": "onboarding"})`.

        Nothing is started or stored: `agent.run_workflow` starts a workflow.

        Args:
            options: its `name`, and perhaps an `id`; the class's name by default.
            env: the environment of the worker.
            ctx: the context that the platform gives.
        """
        options = cls.__name__ if options is None else options
        given = {"name": options} if isinstance(options, str) else dict(options)
        name = given.get("name")
        if not isinstance(name, str) or not name:
            raise UsageError(f"a workflow needs a name, as in {{'name': 'onboarding'}}, not {options!r}"[:300])
        workflow = cls(ctx, env)
        workflow._name, workflow._id = name, cast("str | None", given.get("id"))
        return workflow

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the method's own types
        """Call a method of the workflow by name, sync or async. The JavaScript spelling is understood too.

        Raises:
            UsageError: there is no such method.
        """
        name = method if hasattr(self, method) else snake_case(method)
        found: object = None if name.startswith("_") else getattr(self, name, None)
        if not callable(found):
            known = [
                name for name in dir(type(self)) if not name.startswith("_") and callable(getattr(type(self), name))
            ]
            raise UsageError(f"{type(self).__name__} has no method {method!r}{did_you_mean(method, known)}")
        result: Any = found(*args, **kwargs)
        return await result if isawaitable(result) else result

    # How it works inside

    def _required_line(self) -> Line:
        if self._line is None:
            raise UsageError("no agent started this workflow: start it with `await agent.run_workflow(...)`")
        return self._line

    @staticmethod
    def _conducted(own: Run) -> Run:
        """`run` of a subclass, such that the outermost call of it tells the agent how it ended."""

        @wraps(own)
        async def run(self: AgentWorkflow[Any], event: Any, step: Any) -> Any:  # noqa: ANN401 - the platform's
            if isinstance(step, AgentWorkflowStep):
                return await own(self, event, step)
            return await self._conduct(own, event, step)

        return run

    async def _conduct(self, run: Run, event: Any, step: Any) -> Any:  # noqa: ANN401 - the platform's
        """Run the user's code for the agent, and tell it how that ended."""
        payload: Any = event["payload"]
        params, name, origin = (
            split(cast("dict[str, Any]", payload)) if isinstance(payload, dict) else (payload, None, None)
        )
        self._id, self._name = event["instanceId"], name or event.get("workflowName")
        if origin is None:
            return await run(self, event, AgentWorkflowStep(step, None))
        self._line = Line(self.env, origin, self.workflow_name, self.workflow_id, step)
        steps = AgentWorkflowStep(step, self._line)
        try:
            result = await run(self, type(event)({**event, "payload": params}), steps)
        except Exception as error:
            if not steps.has_reported and not any(_says(error, sign) for sign in _ABORTED):
                await self._report(steps.report_error, reason_of(error))
            raise
        if not steps.has_reported:
            await self._report(steps.report_complete, _reported(result))
        return result

    async def _report(self, tell: Callable[[Any], Awaitable[None]], what: Json) -> Done:
        """Tell the agent of the end. If it cannot be told, it asks the platform by itself."""
        try:
            await tell(what)
        except Exception as error:
            if any(_says(error, sign) for sign in _ABORTED):
                raise
        return DONE


def _reported(result: object) -> Json:
    """The result as the agent is told of it; one that is no JSON stays with the platform."""
    try:
        return plain(result, "result")
    except NotJson:
        return None


def reason_of(error: BaseException) -> str:
    """Why a workflow failed, without traces."""
    return (error_line(error) if hasattr(error, "message") else str(error)) or type(error).__name__


def _says(error: BaseException, sign: str) -> bool:
    return getattr(error, "name", None) == sign or str(error).startswith(sign)
