"""The `options` of an agent class: merged along the class hierarchy and checked when the class is defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, cast

from agents_runtime._core.retry import DEFAULT_RETRY, RetryLike, RetryPolicy, resolve_retry
from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import DefinitionError, UsageError


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What a class may set in `options`, and the defaults.

    Attributes:
        send_identity_on_connect: tell a new connection which agent it reached. Without it `ready` of the JS clients
            never resolves.
        client_state_writes: whether clients may replace the state. Default "allow", as the JS clients expect.
        redact_errors: send clients only the texts of `RpcError` and the library's own errors, and a generic text for
            every other exception. By default the text of any exception raised in a callable is sent.
        debug: answer failed HTTP requests with the traceback. For development only.
        max_calls_per_connection: calls one connection may have unanswered; more are refused.
        cancel_calls_on_disconnect: cancel the unanswered calls of a connection that closes. Streams always are.
        ping_response: a text and its answer, sent without waking the agent: a heartbeat for clients. By default
            `("ping", "pong")` where the class has no `on_message`; None turns it off.
        retry: how often schedules, queue items and `self.retry` try, unless the call says otherwise.
        hung_schedule_timeout_seconds: how long a scheduled method may hold up other work; then a warning is logged and
            the other work goes on without waiting for it.
        keep_alive_interval_ms: how often the alarm goes off while `keep_alive` is held.
        max_alarm_memory_limit_strikes: after so many alarms in a row that ended at the platform's memory limit the
            work behind them is given up.
        max_pending: how many schedules, queue items and runs of tasks may wait, of each; more are refused.
        max_sub_agents: how many sub-agents there may be; more are refused.
        queue_concurrency: how many queue items run at once. With 1, one after the other, in order.
        recover_after_start: recover interrupted fibers after `on_start`, which may set up what that needs. By default
            before.
        fiber_recovery_scan_deadline_ms: after so long a recovery of many fibers leaves the rest for a later alarm; 0:
            never.
        fiber_recovery_max_age_ms: how old a fiber of `run_fiber` may be while its recovery keeps failing; then it is
            given up. 0: never.
    """

    send_identity_on_connect: bool = True
    client_state_writes: Literal["allow", "deny"] = "allow"
    redact_errors: bool = False
    debug: bool = False
    max_calls_per_connection: int = 1_000
    cancel_calls_on_disconnect: bool = False
    ping_response: tuple[str, str] | None = ("ping", "pong")
    retry: RetryPolicy = DEFAULT_RETRY
    hung_schedule_timeout_seconds: int = 30
    keep_alive_interval_ms: int = 30_000
    max_alarm_memory_limit_strikes: int = 3
    max_pending: int = 100_000
    max_sub_agents: int = 10_000
    queue_concurrency: int = 1
    recover_after_start: bool = False
    fiber_recovery_scan_deadline_ms: int = 10_000
    fiber_recovery_max_age_ms: int = 86_400_000


_FIELDS = {field.name: field for field in fields(AgentOptions)}
_MAY_BE_ZERO = ("max_alarm_memory_limit_strikes", "fiber_recovery_scan_deadline_ms", "fiber_recovery_max_age_ms")
MAX_PING_BYTES = 2_048
"""The platform's limit for a text that is answered without waking the object."""


def resolve_options(cls: type) -> tuple[AgentOptions, frozenset[str]]:
    """The options of a class, the nearest class winning for each, and the names that were set.

    Raises:
        DefinitionError: an option is unknown or has a value of the wrong kind.
    """
    merged: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        given = vars(base).get("options")
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise DefinitionError(f"{base.__name__}.options must be a dict of options, not {type(given).__name__}")
        merged.update(cast("Mapping[str, object]", given))
    if merged.pop("hibernate", True) is not True:
        raise DefinitionError(f'{cls.__name__}.options["hibernate"]: agents always hibernate; leave it out')
    for name, value in merged.items():
        merged[name] = _checked(cls, name, value)
    return AgentOptions(**merged), frozenset(merged)  # type: ignore[arg-type] # each value was checked above


def _checked(cls: type, name: str, value: object) -> object:
    """The value of an option as `AgentOptions` has it."""
    where = f"{cls.__name__}.options[{name!r}]"
    field = _FIELDS.get(name)
    if field is None:
        raise DefinitionError(f"{where}: there is no such option{did_you_mean(name, _FIELDS)}")
    if isinstance(field.default, bool):
        if not isinstance(value, bool):
            raise DefinitionError(f"{where} must be True or False, not {value!r}")
    elif isinstance(field.default, int):
        _check_number(where, value, 0 if name in _MAY_BE_ZERO else 1)
    elif name == "retry":
        return _checked_retry(where, value)
    elif name == "client_state_writes":
        if value not in ("allow", "deny"):
            raise DefinitionError(f'{where} must be "allow" or "deny", not {value!r}')
    elif value is not None and not _is_pair_of_texts(value):
        raise DefinitionError(f"{where} must be two texts of at most {MAX_PING_BYTES} bytes, or None; not {value!r}")
    elif isinstance(value, list):
        return tuple(cast("list[str]", value))
    return value


def _check_number(where: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DefinitionError(f"{where} must be a whole number above {least - 1}, not {value!r}")


def _checked_retry(where: str, value: object) -> RetryPolicy:
    try:
        return resolve_retry(cast("RetryLike", value))
    except UsageError as error:
        raise DefinitionError(f"{where}: {error}") from error


def _is_pair_of_texts(value: object) -> bool:
    if not isinstance(value, list | tuple):
        return False
    pair = cast("list[object]", value)
    return len(pair) == 2 and all(isinstance(text, str) and len(text.encode()) <= MAX_PING_BYTES for text in pair)
