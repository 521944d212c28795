"""`env` and `ctx` of a worker on the local host."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime.local.host import Host
    from agents_runtime.local.namespaces import LocalNamespace


class Env:
    """Bindings and variables of the worker, as attributes. A missing one raises AttributeError."""

    def __init__(self) -> None:
        self.agents_namespaces: dict[str, LocalNamespace] = {}
        self.agents_host: Host | None = None

    def define(self, name: str, value: Any) -> None:
        """Set a binding or variable."""
        from agents_runtime.local.namespaces import LocalNamespace

        setattr(self, name, value)
        if isinstance(value, LocalNamespace):
            self.agents_namespaces[name] = value
        else:
            self.agents_namespaces.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            raise MissingBinding(name, self)
        raise AttributeError(name)


class MissingBinding(AttributeError):
    """What the environment lacks. Often it is only looked whether it is there, so the text is made when it is read."""

    def __init__(self, name: str, env: Env) -> None:
        super().__init__(name)
        self._env = env

    def __str__(self) -> str:
        known = ", ".join(sorted(vars(self._env).keys() - {"agents_namespaces", "agents_host"})) or "none"
        return f"the environment has no {self.args[0]!r}; it has: {known}. Add it to your wrangler file."


class ExecutionContext:
    """`ctx` of a request to the worker."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.exports = host.exports
        self.props: dict[str, Any] = {}

    def waitUntil(self, work: Awaitable[Any]) -> None:
        """Finish `work` although the response has left."""
        self._host.wait_until(work)

    def passThroughOnException(self) -> None:
        """Accepted and without effect: there is no origin server behind the local host."""


def host_wait_until(host: Host) -> Callable[[Awaitable[Any]], None]:
    """`wait_until` for code of this host: background work of the object it is called in, or of the worker."""
    from agents_runtime.local.life import current_life

    def wait_until(work: Awaitable[Any]) -> None:
        life = current_life.get()
        if isinstance(work, asyncio.Task):
            if life is not None:
                life.adopt(work)
            return
        coroutine = work if inspect.iscoroutine(work) else _wait_for(work)
        if life is not None:
            life.spawn(coroutine)
        else:
            host.start_task(coroutine)

    return wait_until


async def _wait_for(work: Awaitable[Any]) -> None:
    await work
