"""Trying again when the platform lost an object for a moment. Knows neither requests nor agents."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agents_runtime.errors import RetryableError, UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy

T = TypeVar("T")
_log = logging.getLogger("agents_runtime.routing")

_MAX_CAUSES = 8
_OVERLOADED = "Durable Object is overloaded"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class RoutingRetryEvent:
    """What `on_retry` is told before the wait."""

    error: Exception
    attempt: int
    """The attempt that failed, from 1."""
    max_attempts: int
    delay_ms: int
    name: str
    """The agent's name, or its id where it was addressed by id."""
    class_name: str
    """The binding, or the class where no binding was named."""


OnRetry = Callable[[RoutingRetryEvent], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class RoutingRetry:
    """How often, and how patiently, an unreachable agent is tried again.

    Repeated is only what the platform marks as worth it, such as a lost connection or a move to another machine;
    never an overload, never an error of the agent's own code, never a request whose body was read already. The wait
    before attempt n + 1 is random, up to `base_delay_ms * 2 ** (n - 1)` and never above `max_delay_ms`.
    `on_retry` may be async; when it fails, that is logged and the retry goes on.

    Raises:
        UsageError: a number is out of range.
    """

    max_attempts: int = 3
    base_delay_ms: float = 100
    max_delay_ms: float = 800
    on_retry: OnRetry | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.max_attempts) or self.max_attempts % 1 or self.max_attempts < 1:
            raise UsageError(
                f"routing_retry.max_attempts must be a whole number of at least 1, not {self.max_attempts!r}"
            )
        for field in ("base_delay_ms", "max_delay_ms"):
            value = getattr(self, field)
            if not _is_number(value) or value <= 0:
                raise UsageError(f"routing_retry.{field} must be a number of milliseconds above 0, not {value!r}")
        if self.base_delay_ms > self.max_delay_ms:
            sizes = f"{self.base_delay_ms} > {self.max_delay_ms}"
            raise UsageError(f"routing_retry.base_delay_ms must not be above max_delay_ms ({sizes})")
        if self.on_retry is not None and not callable(self.on_retry):
            raise UsageError(f"routing_retry.on_retry must be a function, not {type(self.on_retry).__name__}")

    def delay_ms(self, attempt: int, chance: float) -> int:
        """The wait after failed attempt `attempt`, for a `chance` in [0, 1)."""
        return math.floor(chance * min(self.max_delay_ms, self.base_delay_ms * 2.0 ** min(attempt - 1, 60)))


RetryOption = RoutingRetry | Mapping[str, object] | bool | None
"""None and True: the defaults. False: one attempt only. A mapping: the fields of `RoutingRetry`."""

_DEFAULT = RoutingRetry()
_OFF = RoutingRetry(max_attempts=1)
_FIELDS = frozenset(field.name for field in fields(RoutingRetry))


def retry_policy(option: object) -> RoutingRetry:
    """The policy meant by a `RetryOption`."""
    if option is None or option is True:
        return _DEFAULT
    if option is False:
        return _OFF
    if isinstance(option, RoutingRetry):
        return option
    if not isinstance(option, Mapping):
        raise UsageError(f"routing_retry takes RoutingRetry(...), a mapping or False, not {option!r}")
    values = dict(cast("Mapping[str, Any]", option))
    unknown = sorted(values.keys() - _FIELDS)
    if unknown:
        raise UsageError(f"routing_retry has no {unknown[0]!r}; it has {', '.join(sorted(_FIELDS))}")
    return RoutingRetry(**values)


async def repeat(
    attempt_once: Callable[[], Awaitable[T]],
    error: Exception,
    policy: RoutingRetry,
    *,
    clock: Clock,
    entropy: Entropy,
    may_repeat: Callable[[], bool],
    name: str,
    class_name: str,
) -> T:
    """Go on after the first attempt failed with `error`. Raises the last error when it is no use."""
    attempt = 1
    while attempt < policy.max_attempts and is_error_retryable(error) and may_repeat():
        delay_ms = policy.delay_ms(attempt, entropy.random())
        event = RoutingRetryEvent(error, attempt, policy.max_attempts, delay_ms, name, class_name)
        await _notify(policy.on_retry, event)
        await clock.sleep(delay_ms / 1000)
        attempt += 1
        try:
            return await attempt_once()
        except Exception as exc:
            error = exc
    raise error


def is_error_retryable(error: BaseException | None) -> bool:
    """Whether the platform says that the same call may succeed now. Looks through causes; overload never counts."""
    retryable = False
    for link in _causes(error):
        if getattr(link, "overloaded", False) is True or _OVERLOADED in str(link):
            return False
        retryable = retryable or isinstance(link, RetryableError) or getattr(link, "retryable", False) is True
    return retryable


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_MAX_CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def _notify(on_retry: OnRetry | None, event: RoutingRetryEvent) -> None:
    if on_retry is None:
        return
    try:
        result = on_retry(event)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _log.exception("on_retry failed; the retry goes on")
