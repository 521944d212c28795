"""From a request to the agent that its URL names, or that the worker chose."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from agents_runtime._core.failures import http_failure, just_destroyed, was_destroyed
from agents_runtime._platform.base import header_of, make_response, namespaces_of, timing_of, with_headers
from agents_runtime.errors import UsageError
from agents_runtime.routing.bindings import binding_of, binding_of_segment, binding_of_value, listed
from agents_runtime.routing.handle import call_entry
from agents_runtime.routing.hooks import AgentRoute, Hook, ask
from agents_runtime.routing.lookup import connector
from agents_runtime.routing.messages import HttpRequest, Response, is_upgrade, without_internal_headers
from agents_runtime.routing.retry import RetryOption, RoutingRetry, repeat, retry_policy
from agents_runtime.routing.urls import DEFAULT_PREFIX, name_problem, parse_agent_path

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace
    from agents_runtime.routing.cors import CorsOption

_log = logging.getLogger("agents_runtime.routing")

INVALID_REQUEST = "Invalid request"


class _Destination(NamedTuple):
    """The agent a request goes to."""

    namespace: Namespace
    route: AgentRoute


class _Refusal(NamedTuple):
    """Why a request can go to no agent."""

    text: str


async def route_agent_request(
    request: HttpRequest,
    env: object,
    target: Mapping[str, object] | None = None,
    *,
    prefix: str = DEFAULT_PREFIX,
    cors: CorsOption = None,
    jurisdiction: str | None = None,
    location_hint: str | None = None,
    props: Mapping[str, object] | None = None,
    routing_retry: RetryOption = None,
    on_before_connect: Hook | None = None,
    on_before_request: Hook | None = None,
) -> Response | None:
    """Send a request to its agent and return the answer; None when the URL is not one of an agent.

    `/agents/chat-room/lobby` goes to the agent `lobby` of the binding `ChatRoom` or `CHAT_ROOM`, with the whole URL.
    The name is taken as it stands in the path, still percent-encoded. An unknown binding or an impossible name is
    answered with 400. A request may reach the agent twice when the connection to it is lost: see `RoutingRetry`.

    Args:
        request: what the worker received.
        env: the worker's bindings.
        target: `{"namespace": "chat", "name": "lobby"}` sends it to this agent, whatever the URL.
        prefix: the path in front, such as "api/agents"; no slash at its ends.
        cors: True lets every page read the answers; `Cors(...)` chooses; a mapping gives the headers themselves.
        jurisdiction: where the agent's data must stay, such as "eu".
        location_hint: where the agent should be created, such as "weur".
        props: handed to `on_start` when this request starts the agent.
        routing_retry: how a lost connection is retried; False never does.
        on_before_connect: sees every WebSocket upgrade first, see `Hook`.
        on_before_request: sees every other request first, see `Hook`.

    Raises:
        UsageError: an argument is wrong, or a hook returned something else.
        ConfigError: two bindings have the same form in a URL.
    """
    policy = retry_policy(routing_retry)
    namespaces = namespaces_of(env)
    found = _by_url(request.url, prefix, namespaces) if target is None else _by_target(target, namespaces)
    if found is None:
        return None
    upgrade = is_upgrade(request)
    allowed = None if cors is None or upgrade else _cors(cors, request)
    if isinstance(found, _Refusal):
        return make_response(found.text, 400, allowed)
    if allowed is not None and request.method == "OPTIONS":
        return make_response(None, 200, allowed)
    request = without_internal_headers(request)
    hook = on_before_connect if upgrade else on_before_request
    if hook is not None:
        answer, request = await ask(hook, request, found.route)
        if answer is not None:
            return _readable(answer, allowed)
        request = without_internal_headers(request)
    namespace = found.namespace if jurisdiction is None else found.namespace.jurisdiction(jurisdiction)
    connect = connector(namespace, namespace.idFromName(found.route.name), location_hint)
    return _readable(await _forward(request, connect, found.route, props, policy, env), allowed)


route_agent_requests = route_agent_request
"""The same, under its name in the earlier Python API."""


def _by_url(url: str, prefix: str, namespaces: Mapping[str, Namespace]) -> _Destination | _Refusal | None:
    path = parse_agent_path(url, prefix=prefix)
    if path is None:
        if prefix.startswith("/"):
            _warn_of_prefix(prefix)
        return None
    binding = binding_of_segment(namespaces, path.agent)
    if binding is None:
        _log.warning(
            "a request asked for /%s/...: no Durable Object binding has this name in a URL, this worker has %s",
            path.agent[:80],
            listed(namespaces),
        )
        return _Refusal(INVALID_REQUEST)
    problem = name_problem(path.name)
    if problem:
        return _Refusal(problem)
    if "%" in path.name:
        _note_encoded_name(binding)
    return _Destination(namespaces[binding], AgentRoute(binding, path.name))


def _by_target(target: Mapping[str, object], namespaces: Mapping[str, Namespace]) -> _Destination:
    namespace, name = target.get("namespace"), target.get("name")
    if set(target) != {"namespace", "name"} or not isinstance(name, str):
        raise UsageError(f'a target is {{"namespace": ..., "name": ...}}, got {dict(target)!r}')
    problem = name_problem(name)
    if problem:
        raise UsageError(problem)
    if isinstance(namespace, str | type):
        binding = binding_of(namespaces, namespace)
        return _Destination(namespaces[binding], AgentRoute(binding, name))
    chosen, binding = binding_of_value(namespaces, namespace)
    return _Destination(chosen, AgentRoute(binding, name))


def _cors(cors: CorsOption, request: HttpRequest) -> dict[str, str] | None:
    if cors is None or cors is False:
        return None
    from agents_runtime.routing.cors import cors_headers

    return cors_headers(cors, header_of(request, "origin"), header_of(request, "access-control-request-headers"))


def _readable(response: Response, allowed: dict[str, str] | None) -> Response:
    """The response with the CORS headers that its asker is allowed."""
    if allowed is None:
        return response
    vary = allowed.get("Vary")
    if vary is not None:
        from agents_runtime.routing.cors import merged_vary

        allowed = {**allowed, "Vary": merged_vary(response.headers.get("Vary"), vary)}
    return with_headers(response, allowed)


async def _forward(
    request: HttpRequest,
    connect: Callable[[], Any],
    route: AgentRoute,
    props: Mapping[str, object] | None,
    policy: RoutingRetry,
    env: object,
) -> Response:
    async def attempt() -> Response:
        stub = connect()
        if props is not None:
            await call_entry(stub, "start", {"props": dict(props)}, route.binding)
        return await stub.fetch(request)

    try:
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
                may_repeat=lambda: not getattr(request, "body_used", False),
                name=route.name,
                class_name=route.binding,
            )
    except Exception as exc:
        if not was_destroyed(exc):
            raise
        return make_response(*http_failure(just_destroyed(), is_debug=False))


@functools.lru_cache(maxsize=64)
def _warn_of_prefix(prefix: str) -> None:
    _log.warning("prefix=%r never matches: write it without the slash in front", prefix)


@functools.lru_cache(maxsize=64)
def _note_encoded_name(binding: str) -> None:
    _log.warning(
        "names are not decoded: a percent-encoded name in the URL of %s is the agent's name as it stands; in code, "
        "reach that agent with name_for(...) (said once)",
        binding,
    )
