"""Chooses the platform: the class that `Agent` subclasses, how its port is built, and HTTP values.

Everything above the adapters asks here and never names a platform. What needs the local host is imported
inside functions, so that importing an agent's module stays light.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy, Mail, Namespace, Platform

INNER_PREFIX = "cf-agents:"
"""How the ids of agents inside agents begin."""

if sys.platform == "emscripten":
    from workers import DurableObject as _SdkDurableObject

    class DurableObject(_SdkDurableObject):
        """The SDK's Durable Object, with the rest of the class hierarchy told about subclasses.

        The SDK's own `__init_subclass__` does not call `super()`, which breaks `Generic` bases.
        """

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            super(_SdkDurableObject, cls).__init_subclass__()

    from agents_runtime._platform.workers import (
        closed_upgrade,
        header_of,
        headers_starting,
        http,
        namespaces_of,
        standalone,
        timing_of,
    )
    from agents_runtime._platform.workers import platform_of as _host_platform

    def mail_port() -> Mail:
        """How mails are received and sent here."""
        from agents_runtime._platform.workers.mail import WorkersMail

        return WorkersMail()

    def _http() -> Any:
        return http

    def header_finder(request: Any) -> Callable[[str], str | None]:
        """A function that gives headers of a request by their lower-case names."""
        return functools.partial(header_of, request)
else:

    class DurableObject:
        """What the local host hosts: an object with a context and an environment."""

        def __init__(self, ctx: Any, env: Any) -> None:
            self.ctx = ctx
            self.env = env

    def _host_platform(ctx: Any, env: Any) -> Platform:
        platform: Platform | None = getattr(ctx, "agents_platform", None)
        if platform is None:
            from agents_runtime.errors import UsageError

            raise UsageError(
                f"this ctx ({type(ctx).__name__}) is not the ctx of a Durable Object and has no storage: reach an "
                "agent by name (get_agent_by_name), in a test by the `runtime` fixture; `create()` without ctx makes "
                "one in memory"
            )
        return platform

    def namespaces_of(env: Any) -> Mapping[str, Namespace]:
        """The Durable Object bindings of an environment, by binding name."""
        namespaces: Mapping[str, Namespace] | None = getattr(env, "agents_namespaces", None)
        if namespaces is not None:
            return namespaces
        values = cast("Mapping[str, Any]", env if isinstance(env, Mapping) else vars(env))
        return {name: value for name, value in values.items() if callable(getattr(value, "idFromName", None))}

    def standalone(cls: type, env: Any = None) -> tuple[Any, Any]:
        """`(ctx, env)` of a fresh in-memory object for `cls`, for use without any host."""
        from agents_runtime.local.standalone import standalone_object

        return standalone_object(cls, env)

    def timing_of(env: Any) -> tuple[Clock, Entropy]:
        """Time and chance for the code of a worker, outside any object."""
        host = getattr(env, "agents_host", None)
        if host is not None:
            return host.clock, host.entropy
        from agents_runtime.local.clock import SystemClock
        from agents_runtime.local.entropy import SystemEntropy

        return SystemClock(), SystemEntropy()

    def mail_port() -> Mail:
        """How mails are received and sent here."""
        from agents_runtime.local.mail.port import LocalMail

        return LocalMail()

    def header_of(request: Any, name: str) -> str | None:
        """One header of a request, by its lower-case name. Cheaper than building `request.headers`."""
        for key, value in request.raw_headers():
            if key == name or key.lower() == name:
                return str(value)
        return None

    def header_finder(request: Any) -> Callable[[str], str | None]:
        """A function that gives headers of a request by their lower-case names; for those who look for many."""
        return {key.lower(): value for key, value in reversed(request.raw_headers())}.get

    def headers_starting(request: Any, prefixes: tuple[str, ...]) -> list[str]:
        """The names of the request's headers that start with one of the lower-case `prefixes`."""
        return [key for key, _ in request.raw_headers() if key.lower().startswith(prefixes)]

    def closed_upgrade(code: int, reason: str) -> Any:
        """A `workers.Response` (101) that accepts a WebSocket and closes it at once."""
        from agents_runtime.local.sockets import WebSocketPair

        pair = WebSocketPair()
        pair.client.deliver_close((code, reason))
        return _http().Response(None, status=101, web_socket=pair.client)

    @functools.cache
    def _http() -> Any:
        from agents_runtime.local.shim import http

        return http


def platform_of(ctx: Any, env: Any) -> Platform:
    """The port for an object, from the `ctx` and `env` its constructor was given."""
    platform = _host_platform(ctx, env)
    identity = platform.inner_identity
    if identity is None or not identity.startswith(INNER_PREFIX):
        return platform
    from agents_runtime._platform.child.platform import ChildPlatform

    return ChildPlatform(platform, identity)


def current_env() -> Any:
    """The environment of the worker that is running. Raises UsageError where none is."""
    env = _http().current_environment()
    if env is None:
        from agents_runtime.errors import UsageError

        raise UsageError("no worker is running here, so there is no environment: pass `env` explicitly")
    return env


def make_response(body: str | bytes | None = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
    """A `workers.Response`."""
    return _http().Response(body, status=status, headers=dict(headers) if headers else None)


def make_request(url: str, **init: Any) -> Any:
    """A `workers.Request`."""
    return _http().Request(url, **init)


def stream_response(
    chunks: AsyncIterable[str | bytes], status: int = 200, headers: Mapping[str, str] | None = None
) -> Any:
    """Make a `workers.Response` whose body is sent while `chunks` produces it, as for server-sent events.

    Each chunk leaves once the writes made before it are committed. When the client goes away, `chunks` is closed. The
    agent stays in memory until the body has ended. Without a `content-type` in `headers` it is `text/event-stream`.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}
    return _http().stream_response(chunks, status, {"content-type": "text/event-stream", **given})


async def read_body(request: Any, limit: int) -> bytes | None:
    """The body of a request, None when it is longer than `limit` bytes: then the rest is not read."""
    body: bytes | None = await _http().read_body(request, limit)
    return body


def socket_frames(response: Any) -> AsyncIterator[str]:
    """The text frames of the WebSocket that `response` (101) carries, until it closes.

    For a worker that asked an object for a socket of its own. Closing them (`aclose`) closes the socket. A reader that
    falls too far behind loses it.
    """
    frames: AsyncIterator[str] = _http().socket_frames(response)
    return frames


def is_response(value: object) -> bool:
    """Whether `value` is a `workers.Response`."""
    return isinstance(value, _http().Response)


def is_request(value: object) -> bool:
    """Whether `value` is a `workers.Request`."""
    return isinstance(value, _http().Request)


def with_headers(response: Any, headers: Mapping[str, str]) -> Any:
    """`response` with these headers set; a header it already has is replaced."""
    return _http().with_headers(response, headers)


def without_headers(request: Any, names: Sequence[str]) -> Any:
    """`request` without these headers; the body is not read."""
    return _http().without_headers(request, names)


def with_url(request: Any, url: str) -> Any:
    """`request` with another URL; the body is not read."""
    return _http().with_url(request, url)


def upgrade_request(url: str, headers: Sequence[tuple[str, str]]) -> Any:
    """A request for a WebSocket, from what was noted of it."""
    return _http().upgrade_request(url, headers)


def headers_of(request: Any) -> list[tuple[str, str]]:
    """All headers of a request."""
    fields: list[tuple[str, str]] = _http().headers_of(request)
    return fields
