"""Chooses the platform: the class that `Agent` subclasses, and how its port is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace, Platform

if sys.platform == "emscripten":
    from workers import DurableObject as _SdkDurableObject

    class DurableObject(_SdkDurableObject):
        """The SDK's Durable Object, with the rest of the class hierarchy told about subclasses.

        The SDK's own `__init_subclass__` does not call `super()`, which breaks `Generic` bases.
        """

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            super(_SdkDurableObject, cls).__init_subclass__()
else:

    class DurableObject:
        """What the local host hosts: an object with a context and an environment."""

        def __init__(self, ctx: Any, env: Any) -> None:
            self.ctx = ctx
            self.env = env


def platform_of(ctx: Any, env: Any) -> Platform:
    """The port for an object, from the `ctx` and `env` its constructor was given."""
    local: Platform | None = getattr(ctx, "agents_platform", None)
    if local is not None:
        return local
    from agents_runtime._platform.workers import WorkersPlatform

    return WorkersPlatform(ctx, env)


def namespaces_of(env: Any) -> Mapping[str, Namespace]:
    """The Durable Object bindings of an environment, by binding name."""
    local: Mapping[str, Namespace] | None = getattr(env, "agents_namespaces", None)
    if local is not None:
        return local
    from agents_runtime._platform.workers import namespaces_of_workers

    return namespaces_of_workers(env)
