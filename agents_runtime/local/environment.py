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
            known = ", ".join(sorted(vars(self).keys() - {"agents_namespaces", "agents_host"})) or "none"
            raise AttributeError(f"the environment has no {name!r}; it has: {known}. Add it to your wrangler file.")
        raise AttributeError(name)


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
