"""How often work is tried again and after which waits. Pure, but for `retrying`, which waits through the clock port."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict, TypeGuard, TypeVar, cast

from agents_runtime._core.capability import Capability
from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._core.spelling import did_you_mean, snake_case
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often something is tried, and the bounds of the waits between the attempts.

    Attributes:
        max_attempts: how often it is tried in all; 1 means no second attempt.
        base_delay_ms: half of the upper bound of the first wait; the bound doubles with every failure.
        max_delay_ms: the largest upper bound.
    """

    max_attempts: int = 3
    base_delay_ms: float = 100
    max_delay_ms: float = 3_000


class RetryOptions(TypedDict, total=False):
    """What may be given as `retry=`; what is left out comes from the class's `options["retry"]`.

    Attributes:
        max_attempts: how often it is tried in all, 1 or more.
        base_delay_ms: half of the upper bound of the first wait; it doubles with every failure.
        max_delay_ms: the largest upper bound of a wait.
    """

    max_attempts: int
    base_delay_ms: float
    max_delay_ms: float


RetryLike = RetryOptions | RetryPolicy | Mapping[str, object] | None
"""A policy as users write it. The JavaScript spelling of the keys is understood."""

DEFAULT_RETRY = RetryPolicy()
_FIELDS = ("max_attempts", "base_delay_ms", "max_delay_ms")
_JS_FIELDS = ("maxAttempts", "baseDelayMs", "maxDelayMs")
_LARGEST_EXPONENT = 60


def resolve_retry(given: RetryLike, defaults: RetryPolicy = DEFAULT_RETRY) -> RetryPolicy:
    """The whole policy for what a user gave.

    Raises:
        UsageError: a value is out of range, as `retry.<field> ...`; or a field is unknown.
    """
    if given is None:
        return defaults
    if isinstance(given, RetryPolicy):
        policy = given
    else:
        policy = _merged(given, defaults)
    _check(policy)
    return policy


def _merged(given: object, defaults: RetryPolicy) -> RetryPolicy:
    if not isinstance(given, Mapping):
        raise UsageError(f"retry must be a dict such as {{'max_attempts': 5}}, not {given!r}")
    values: dict[str, Any] = {name: getattr(defaults, name) for name in _FIELDS}
    for key, value in cast("Mapping[str, object]", given).items():
        name = snake_case(key)
        if name not in values:
            raise UsageError(f"retry.{key} is unknown{did_you_mean(key, _FIELDS)}")
        if value is not None:
            values[name] = value
    return RetryPolicy(**values)


def _check(policy: RetryPolicy) -> None:
    if not (_is_number(policy.max_attempts) and policy.max_attempts >= 1 and policy.max_attempts % 1 == 0):
        raise UsageError(f"retry.max_attempts must be a whole number of at least 1, not {policy.max_attempts!r}")
    for name in ("base_delay_ms", "max_delay_ms"):
        delay: object = getattr(policy, name)
        if not (_is_number(delay) and delay > 0):
            raise UsageError(f"retry.{name} must be a number of milliseconds above 0, not {delay!r}")
    if policy.base_delay_ms > policy.max_delay_ms:
        raise UsageError(
            f"retry.base_delay_ms ({policy.base_delay_ms:g}) must not be more than retry.max_delay_ms "
            f"({policy.max_delay_ms:g}): raise the second too"
        )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@lru_cache(maxsize=256)
def retry_to_json(policy: RetryPolicy) -> str:
    """A policy as it is stored."""
    return dumps(dict(zip(_JS_FIELDS, (getattr(policy, name) for name in _FIELDS), strict=True)))


@lru_cache(maxsize=256)
def retry_from_json(text: str) -> RetryPolicy:
    """A stored policy; fields that are missing or out of range are the default's."""
    try:
        stored = loads(text)
        return resolve_retry(stored if isinstance(stored, dict) else None)
    except ValueError:
        return DEFAULT_RETRY


def delay_ms(policy: RetryPolicy, failures: int, chance: float) -> int:
    """The wait after so many failures: anything from 0 to the bound (full jitter). `chance` is in [0, 1)."""
    bound = min(policy.base_delay_ms * 2 ** min(failures, _LARGEST_EXPONENT), policy.max_delay_ms)
    return int(chance * bound)


async def retrying(
    work: Callable[[int], Awaitable[T]],
    policy: RetryPolicy,
    clock: Clock,
    entropy: Entropy,
    should_retry: Callable[[Exception, int], object] | None = None,
) -> T:
    """Call `work(attempt)`, from 1, until it succeeds. The last error is raised unchanged.

    Args:
        should_retry: called with the error and the number of the next attempt; a false answer ends it. May be async.
    """
    attempt = 1
    while True:
        try:
            return await work(attempt)
        except Exception as error:
            if attempt >= policy.max_attempts:
                raise
            if should_retry is not None and not await _answer(should_retry(error, attempt + 1)):
                raise
        await clock.sleep(delay_ms(policy, attempt, entropy.random()) / 1000)
        attempt += 1


class Retrier(Capability):
    """Tries again as one agent does: with the defaults of its class, its clock and its dice."""

    def __init__(self, defaults: RetryPolicy, clock: Clock, entropy: Entropy) -> None:
        self._defaults = defaults
        self._clock = clock
        self._entropy = entropy

    async def run(
        self, work: Callable[..., Any], given: RetryLike, should_retry: Callable[[Exception, int], object] | None
    ) -> Any:  # noqa: ANN401 - the work's own result
        """Call `work`, sync or async, with or without a parameter for the attempt's number, until it succeeds."""
        policy = resolve_retry(given, self._defaults)
        return await retrying(attempt_function(work), policy, self._clock, self._entropy, should_retry)


async def _answer(value: object) -> object:
    return await cast("Awaitable[object]", value) if hasattr(value, "__await__") else value


def attempt_function(function: Callable[..., Any]) -> Callable[[int], Awaitable[Any]]:
    """`function`, sync or async, with or without a parameter for the attempt's number, as `retrying` calls it."""
    takes_attempt = _takes_argument(function)

    async def call(attempt: int) -> Any:  # noqa: ANN401 - the function's own result
        result = function(attempt) if takes_attempt else function()
        return await result if hasattr(result, "__await__") else result

    return call


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in (*positional, inspect.Parameter.VAR_POSITIONAL) for p in parameters)
