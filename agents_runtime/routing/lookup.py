"""From a name or an id to a handle on the agent, started and ready."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from agents_runtime._platform.base import current_env, namespaces_of, timing_of
from agents_runtime.errors import UsageError
from agents_runtime.routing.bindings import binding_of, binding_of_value
from agents_runtime.routing.handle import AgentHandle, call_entry
from agents_runtime.routing.retry import RetryOption, RoutingRetry, repeat, retry_policy
from agents_runtime.routing.urls import name_problem

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace

AgentType = TypeVar("AgentType")

_is_id = re.compile("[0-9a-fA-F]{64}").fullmatch


@overload
async def get_agent_by_name(
    namespace: type[AgentType],
    name: str,
    *,
    env: object = None,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[AgentType]: ...
@overload
async def get_agent_by_name(
    namespace: str | Namespace,
    name: str,
    *,
    env: object = None,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[Any]: ...
async def get_agent_by_name(
    namespace: str | type[object] | Namespace,
    name: str,
    *,
    env: object = None,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[Any]:
    """Return a handle on the agent of this name, started with `props`. Every name has an agent.

    Args:
        namespace: a binding such as `env.Chat`; its name, its class's name or the kebab-case form of either; or the
            class, with which the handle is typed.
        name: taken as it is. What a URL carries is percent-encoded: see `name_for`.
        env: where names are looked up, instead of the environment of the running worker.
        jurisdiction: where the agent's data must stay, such as "eu".
        location_hint: where the agent should be created, such as "weur".
        props: handed to `on_start` when this call starts the agent.
        routing_retry: how a lost connection is retried.

    Raises:
        UsageError: no agent can have the name, or no binding is meant.
        ConfigError: several bindings are meant.
        RemoteError: the agent could not start.
    """
    problem = name_problem(name)
    if problem:
        raise UsageError(problem)
    target, class_name, env = _namespace(namespace, env)
    if jurisdiction is not None:
        target = target.jurisdiction(jurisdiction)
    object_id = target.idFromName(name)
    return await _started(
        connector(target, object_id, location_hint), class_name, name, props, env, retry_policy(routing_retry)
    )


@overload
async def get_agent_by_id(
    namespace: type[AgentType],
    object_id: str,
    *,
    env: object = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[AgentType]: ...
@overload
async def get_agent_by_id(
    namespace: str | Namespace,
    object_id: str,
    *,
    env: object = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[Any]: ...
async def get_agent_by_id(
    namespace: str | type[object] | Namespace,
    object_id: str,
    *,
    env: object = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
) -> AgentHandle[Any]:
    """Return a handle on the agent with this id (64 hexadecimal digits), as `handle.id` and `ctx.id` give it.

    The agent must have been reached by its name before, since an id does not tell the name. The other arguments are
    those of `get_agent_by_name`.

    Raises:
        UsageError: it is no id, or no binding is meant.
        ConfigError: several bindings are meant.
        RemoteError: the agent could not start.
    """
    if not _is_id(object_id):
        raise UsageError(f"{object_id[:80]!r} is not the id of an agent: that has 64 hexadecimal digits")
    target, class_name, env = _namespace(namespace, env)
    try:
        platform_id = target.idFromString(object_id)
    except Exception as exc:
        raise UsageError(f"{object_id} is not the id of a {class_name}: {exc}") from None
    return await _started(
        connector(target, platform_id, location_hint), class_name, None, props, env, retry_policy(routing_retry)
    )


def connector(namespace: Namespace, object_id: object, location_hint: str | None) -> Callable[[], Any]:
    """A function that makes a fresh stub. A stub whose connection was lost stays broken."""
    if location_hint is None:
        return lambda: namespace.get(object_id)
    return lambda: namespace.get(object_id, {"locationHint": location_hint})


def _namespace(namespace: str | type[object] | Namespace, env: object) -> tuple[Namespace, str, object]:
    if isinstance(namespace, str | type):
        env = current_env() if env is None else env
        namespaces = namespaces_of(env)
        binding = binding_of(namespaces, namespace)
        return namespaces[binding], binding, env
    return *binding_of_value({}, namespace), env


async def _started(
    connect: Callable[[], Any],
    class_name: str,
    name: str | None,
    props: Mapping[str, object] | None,
    env: object,
    policy: RoutingRetry,
) -> AgentHandle[Any]:
    async def attempt() -> AgentHandle[Any]:
        stub = connect()
        await call_entry(stub, "start", {"props": None if props is None else dict(props)}, class_name)
        return AgentHandle(stub, connect, class_name=class_name, name=name)

    try:
        return await attempt()
    except Exception as exc:
        clock, entropy = timing_of(env)
        return await repeat(
            attempt,
            exc,
            policy,
            clock=clock,
            entropy=entropy,
            may_repeat=_always,
            name=name or "",
            class_name=class_name,
        )


def _always() -> bool:
    return True
