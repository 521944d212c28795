"""`step` of an agent's workflow: the platform's, and what tells the agent durably."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jsonx import plain
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime.workflows.line import Line

_CONFIG = {"retries": {"limit": 5, "delay": "1 second", "backoff": "exponential"}, "timeout": "1 minute"}
"""How patiently the agent is told: it may be starting, or on its way to another machine."""


class AgentWorkflowStep:
    """The durable steps of an agent's workflow: `do`, `sleep`, `sleep_until` and `wait_for_event` are the platform's.

    The others tell the agent something, once per journal entry: again only if a crash falls between the telling and its
    commit.
    """

    def __init__(self, inner: Any, line: Line | None) -> None:  # noqa: ANN401 - the platform's
        self._inner = inner
        self._agent_line = line
        self._count = 0
        self.has_reported = False
        """Whether the agent was told that the workflow has ended."""

    @property
    def _line(self) -> Line:
        if self._agent_line is None:
            raise UsageError("no agent started this workflow: start it with `await agent.run_workflow(...)`")
        return self._agent_line

    def do(self, *args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[[], Awaitable[Any]]]:  # noqa: ANN401 - the platform's
        """Make a function a durable step: `@step.do("charge", config={"retries": {"limit": 3, "delay": "5 seconds"}})`.

        Calling the result runs it, or gives what it returned before.
        """
        made: Callable[[Callable[..., Any]], Callable[[], Awaitable[Any]]] = self._inner.do(*args, **kwargs)
        return made

    async def sleep(self, name: str, duration: float | str) -> None:
        """Wait: milliseconds, or a text such as "10 seconds"."""
        await self._inner.sleep(name, duration)

    async def sleep_until(self, name: str, timestamp: object) -> None:
        """Wait until a moment, which must lie ahead: a datetime (UTC if naive) or ISO text."""
        await self._inner.sleep_until(name, timestamp)

    async def wait_for_event(self, name: str, event_type: str, /, timeout: float | str = "24 hours") -> Any:  # noqa: ANN401 - the platform's
        """Wait for an event of a type; returns it, with `payload`, `type` and `timestamp`."""
        return await self._inner.wait_for_event(name, event_type, timeout=timeout)

    async def report_complete(self, result: object = None) -> None:
        """Tell the agent that the workflow has ended. Done for you when `run` returns."""
        report = self._line.callback("complete", result=plain(result, "result"))
        self.has_reported = True
        await self.tell("report_complete", report)

    async def report_error(self, error: object) -> None:
        """Tell the agent that the workflow has failed, and why. Done for you when `run` raises."""
        report = self._line.callback("error", error=str(error))
        self.has_reported = True
        await self.tell("report_error", report)

    async def send_event(self, event: object) -> None:
        """Give the agent something for its `on_workflow_event`."""
        await self.tell("send_event", self._line.callback("event", event=plain(event, "event")))

    async def update_agent_state(self, state: object) -> None:
        """Replace the agent's state."""
        await self.tell("update_state", {"kind": "state", "action": "set", "state": plain(state, "state")})

    async def merge_agent_state(self, changes: Mapping[str, object]) -> None:
        """Replace some keys of the agent's state."""
        await self.tell("merge_state", {"kind": "state", "action": "merge", "state": plain(changes, "changes")})

    async def reset_agent_state(self) -> None:
        """Let the agent's state be its initial one."""
        await self.tell("reset_state", {"kind": "state", "action": "reset"})

    async def tell(self, what: str, message: Mapping[str, object]) -> None:
        """Tell the agent something in a step of its own."""
        line = self._line
        self._count += 1

        async def told() -> None:
            await line.say(message)

        await self._inner.do(f"__agent_{what}_{self._count}", config=_CONFIG)(told)()
