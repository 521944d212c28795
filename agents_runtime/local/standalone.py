"""An object without a host around it: for `Agent.create()` in a script or a test."""

from __future__ import annotations

from typing import Any

from agents_runtime.local.context import DurableObjectContext
from agents_runtime.local.host import Host
from agents_runtime.local.life import Life
from agents_runtime.local.options import HostOptions


def standalone_object(cls: type, env: Any = None) -> tuple[DurableObjectContext, Any]:
    """`(ctx, env)` of a fresh object of `cls` in memory. It is never evicted and ends with its last reference."""
    host = Host(HostOptions(idle_timeout_s=None))
    namespace = host.bind(cls)
    actor = host.actor(namespace.idFromName("standalone"))
    actor.life = Life(actor)
    return DurableObjectContext(actor.life), host.env if env is None else env
