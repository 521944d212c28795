"""Where a host tells the `workers` module what it runs: the environment, and who keeps background work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, cast

WaitUntil = Callable[[Awaitable[Any]], None]
"""Takes over work that may outlive the response."""

Fetcher = Callable[[Any], Awaitable[Any]]
"""Answers a `Request` with a `Response` instead of the network, or with None to leave it to the network."""

_environment: ContextVar[Any] = ContextVar("workers_environment", default=None)
_wait_until: ContextVar[WaitUntil | None] = ContextVar("workers_wait_until", default=None)
_fetcher: ContextVar[Fetcher | None] = ContextVar("workers_fetcher", default=None)


def bind_environment(env: object) -> Token[Any]:
    """Make `env` what `workers.env` reads, in this context and in the tasks it starts. For hosts."""
    return _environment.set(env)


def bind_wait_until(take: WaitUntil | None) -> Token[WaitUntil | None]:
    """Make `take` receive what is given to `wait_until`, in this context and in the tasks it starts. For hosts."""
    return _wait_until.set(take)


def bind_fetcher(fetcher: Fetcher | None) -> Token[Fetcher | None]:
    """Make `fetcher` answer every `fetch`, in this context and in the tasks it starts; None is the network."""
    return _fetcher.set(fetcher)


def current_fetcher() -> Fetcher | None:
    """What answers `fetch` here, or None for the network."""
    return _fetcher.get()


def current_environment() -> Any:
    """The environment of the running worker, or None where none runs."""
    return _environment.get()


def wait_until(awaitable: Awaitable[Any]) -> None:
    """Finish `awaitable` in the background, also after the response was sent. Its exceptions are logged."""
    take = _wait_until.get()
    if take is None:
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()  # or Python warns about a coroutine that was never awaited, and hides the reason
        raise RuntimeError("wait_until works only while a worker or an object handles an event")
    if not isinstance(cast("object", awaitable), Awaitable):
        raise TypeError(f"wait_until takes a coroutine or another awaitable, got {type(awaitable).__name__}")
    take(awaitable)


class CurrentEnvironment:
    """`workers.env`: the bindings of whichever worker is running, by attribute."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        env = _environment.get()
        if env is None:
            raise AttributeError(f"no worker is running here, so workers.env has no {name!r}")
        return getattr(env, name)

    def __repr__(self) -> str:
        return f"<workers.env: {_environment.get()!r}>"


class _Patched:
    """An environment with some bindings replaced."""

    def __init__(self, env: object, replaced: Mapping[str, Any]) -> None:
        self._env = env
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


@contextmanager
def patch_env(
    d: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
    **kwds: Any,
) -> Generator[None]:
    """Replace bindings of `workers.env` for the length of a `with` block."""
    token = _environment.set(_Patched(_environment.get(), {**dict(d or {}), **kwds}))
    try:
        yield
    finally:
        _environment.reset(token)
