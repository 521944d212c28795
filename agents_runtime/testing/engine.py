"""The host under a test runtime: what is bound to it, its start on the test's loop, its end and its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING

from agents_runtime._platform.workflows import WorkflowEntrypoint, workflows_of
from agents_runtime.errors import UsageError
from agents_runtime.local.entropy import SeededEntropy
from agents_runtime.local.host import CRASH_MESSAGE, Host
from agents_runtime.local.life import current_life
from agents_runtime.local.mail.outbox import MemoryOutbox
from agents_runtime.local.namespaces import LocalNamespace
from agents_runtime.local.shim import install
from agents_runtime.local.shim.runtime import current_environment
from agents_runtime.local.store import MemoryStore
from agents_runtime.local.values import JsException
from agents_runtime.routing.urls import camel_case_to_kebab_case
from agents_runtime.testing.errorlog import ErrorLog
from agents_runtime.testing.faults import FaultPlan
from agents_runtime.testing.outgoing import HttpServers

if TYPE_CHECKING:
    from agents_runtime.local.actor import Actor
    from agents_runtime.local.environment import Env
    from agents_runtime.local.project import Project
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import FetchResponse
    from agents_runtime.testing.options import RuntimeOptions

STOP_GRACE_S = 1.0
"""Real seconds that events get to finish when a host is stopped in good order."""


class Engine:
    """One worker whose host can be stopped and started again on the same storage."""

    def __init__(self, options: RuntimeOptions) -> None:
        self.options = options
        self.log = ErrorLog(self._current_object)
        self.faults = FaultPlan()
        self.http = HttpServers()
        self.clock = options.clock()
        self.classes: dict[str, type] = {}
        self._entropy = SeededEntropy(options.seed)
        self._memory = None if options.data else MemoryStore(self.faults)
        self.outbox = MemoryOutbox()
        self._setup: list[Callable[[Host], object]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self.host = self._make_host(options.env)
        self.set_up(lambda host: host.set_entrypoint(_route))

    # What runs here

    def set_up(self, step: Callable[[Host], object]) -> None:
        """Do something to this host, and to each that takes its place after a restart."""
        step(self.host)
        self._setup.append(step)

    def bind(self, cls: type, binding: str | None) -> None:
        """Bind a Durable Object class, or a workflow."""
        if WorkflowEntrypoint in cls.__mro__:
            self._bind_workflow(cls, binding or cls.__name__)
            return
        self.set_up(lambda host: host.bind(cls, binding))
        self.classes[cls.__name__] = cls

    def _bind_workflow(self, cls: type, binding: str) -> None:
        from agents_runtime.local.workflows.binding import bind_workflow
        from agents_runtime.local.workflows.instance import Served

        served = Served(camel_case_to_kebab_case(cls.__name__), cls)
        self.set_up(lambda host: bind_workflow(host, served, binding))

    def adopt(self, project: Project) -> None:
        """Bind what a project has."""
        self.set_up(project.bind)
        self.classes.update((cls.__name__, cls) for cls in project.classes.values())

    def copy_set_up(self, other: Engine) -> None:
        """Bind what another engine has."""
        for step in other._setup:
            self.set_up(step)
        self.classes.update(other.classes)
        self.http.handlers.update(other.http.handlers)

    def namespace_of(self, cls: type) -> tuple[str, LocalNamespace]:
        """The binding of a class and its name. A class not seen before is bound under its own name."""
        known = self.classes.get(cls.__name__)
        if known is None or not _is_same_class(known, cls):
            self.bind(cls, None)
            known = cls
        for name, namespace in self.host.env.agents_namespaces.items():
            if namespace.agents_class is known:
                return name, namespace
        raise UsageError(f"{cls.__name__} was bound and its binding replaced by another; bind it under its own name")

    # Life

    async def started(self) -> Host:
        """The running host; started now, on the running loop, if it was not."""
        if self._is_closed:
            raise UsageError("this runtime has ended with its test, so what a fixture does after `yield` is too late")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self.log.open()
            await self.host.start()
        elif self._loop is not loop:
            raise UsageError(
                "this runtime is used on two event loops: run the test and its async fixtures with one plug-in, and do "
                "not call asyncio.run() in a test that is async already"
            )
        return self.host

    async def stop(self, *, crash: bool) -> None:
        """Stop the host in good order, or as a dying process would."""
        if crash:
            hidden = [workflow.instances for workflow in workflows_of(self.host.env).values()]
            for cls in (*self.classes.values(), *hidden):
                for object_id in self.host.ids(cls):
                    self.host.crash(object_id)
        await self.host.stop(0 if crash else STOP_GRACE_S)

    async def restart(self, *, crash: bool) -> None:
        """Stop the host and start another on the same storage."""
        await self.started()
        await self.stop(crash=crash)
        self.faults.revive()
        former = self.host.env
        kept = {name: value for name, value in vars(former).items() if _is_variable(name, value)}
        self.host = self._make_host(kept)
        for step in self._setup:
            step(self.host)
        await self.host.start()

    async def close(self) -> None:
        """End for good."""
        if not self._is_closed:
            self._is_closed = True
            if self._loop is asyncio.get_running_loop():
                await self.stop(crash=True)
            elif self._loop is None:
                self.host.store.close()
            self.log.close()

    def _make_host(self, variables: Mapping[str, object]) -> Host:
        install()
        host = Host(
            self.options.host_options(),
            clock=self.clock,
            entropy=self._entropy,
            faults=self.faults,
            store=self._memory,
        )
        host.on_error = self._record
        if self.options.data is None:
            host.mail.outbox = self.outbox
        host.outgoing, host.fetcher, self.http.enter = self.http.fetch, self.http.answer, host.enter_worker
        for name, value in variables.items():
            host.env.define(name, value)
        return host

    def _record(self, actor: Actor, event: str, error: BaseException) -> None:
        was_crashed_on_purpose = isinstance(error, JsException) and error.message == CRASH_MESSAGE
        if not was_crashed_on_purpose:
            self.log.add(repr(actor), event, error)

    def _current_object(self) -> str | None:
        life = current_life.get()
        if life is not None:
            return repr(life.actor) if life.actor.host is self.host else None
        return "the worker" if current_environment() is self.host.env else None


async def _route(request: Request, env: Env, context: object) -> FetchResponse:
    """The entrypoint of a worker that defines none: it only routes to agents."""
    from agents_runtime.local.shim.response import Response
    from agents_runtime.routing.route import route_agent_request

    return await route_agent_request(request, env) or Response("Not found", status=404)


def _is_variable(name: str, value: object) -> bool:
    return name not in ("agents_namespaces", "agents_host") and not isinstance(value, LocalNamespace)


def _is_same_class(one: type, other: type) -> bool:
    """Whether two classes are one, or the same source imported under two module names."""
    if one is other:
        return True
    return one.__qualname__ == other.__qualname__ and _file_of(one) == _file_of(other) is not None


def _file_of(cls: type) -> str | None:
    functions = (value for value in vars(cls).values() if isinstance(value, FunctionType))
    return next((function.__code__.co_filename for function in functions), None)
