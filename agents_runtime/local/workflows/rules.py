"""The platform's rules for workflows: ids, names, durations, settings of steps. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from agents_runtime.local.values import JsDict, JsException
from agents_runtime.local.values.types import epoch_ms
from agents_runtime.tasks.models import Backoff, StepPolicy

MAX_ID_CHARS = 100
MAX_NAME_CHARS = 256
MAX_BATCH = 100
MAX_STEPS = 10_000
RETENTION_MS = 30 * 86_400_000
"""How long a finished instance is kept when nobody says otherwise."""

EVENT_TIMEOUT = "24 hours"
_DEFAULT_RETRIES = {"limit": 5, "delay": 10_000, "backoff": "exponential"}
_DEFAULT_TIMEOUT = "10 minutes"
_BACKOFFS = ("constant", "linear", "exponential")
_UNITS_MS = {
    "millisecond": 1,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 7 * 86_400_000,
    "month": 30 * 86_400_000,
    "year": 365 * 86_400_000,
}
_is_id = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*").fullmatch
_has_control = re.compile(r"[\x00-\x1f]").search
_duration = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+?)s?\s*").fullmatch


@dataclass(frozen=True, slots=True)
class StepSettings:
    """The settings of one `do`.

    Attributes:
        shown: the settings as the step's function sees them.
        timeout_ms: how long an attempt may take.
    """

    policy: StepPolicy
    shown: JsDict
    timeout_ms: int


def fatal(message: str) -> JsException:
    """The platform's error for what no retry mends."""
    return JsException("WorkflowFatalError", message)


def workflow_error(code: str, message: str) -> JsException:
    """The platform's error for calls on instances."""
    return JsException("WorkflowError", f"({code}) {message}")


def not_found() -> JsException:
    """The platform's error for an instance that does not exist."""
    return JsException("Error", "instance.not_found")


def check_id(value: object) -> str:
    """`value` if it can be the id of an instance."""
    if not isinstance(value, str) or len(value) > MAX_ID_CHARS or not _is_id(value):
        raise JsException("WorkflowError", "Workflow instance has invalid id")
    return value


def check_name(value: object) -> str:
    """`value` if it can be the name of a step."""
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARS or _has_control(value):
        raise fatal(f'Step name "{value}" exceeds max length ({MAX_NAME_CHARS} chars) or invalid characters found')
    return value


def span_ms(value: object) -> float:
    """A duration in milliseconds: a number of them, or a text such as "10 seconds". NaN if it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _duration(value) if isinstance(value, str) else None
    unit = _UNITS_MS.get(match[2]) if match else None
    return math.nan if match is None or unit is None else float(match[1]) * unit


def duration_ms(value: object) -> int:
    """A duration in whole milliseconds, rounded up."""
    ms = span_ms(value)
    if math.isnan(ms):
        raise JsException("TypeError", f'Invalid duration "{value}"')
    return math.ceil(max(ms, 0)) if math.isfinite(ms) else 0


def moment_ms(value: object) -> int:
    """A moment in milliseconds since the epoch: a datetime (UTC if naive), ISO text, or such a number."""
    if isinstance(value, datetime):
        return epoch_ms(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return math.ceil(value)
    try:
        parsed = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise JsException("RangeError", f"Invalid time value: {value!r}") from None
    return epoch_ms(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def settings_of(name: str, config: object) -> StepSettings:
    """What the `config` of a step means."""
    if config is None:
        return _DEFAULTS
    if not _is_config(config):
        raise fatal(
            f'Step config for "{name}" is in a invalid format. See '
            "https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/"
        )
    given = cast("Mapping[str, Any]", config)
    return _settings({**_DEFAULT_RETRIES, **(given.get("retries") or {})}, given.get("timeout", _DEFAULT_TIMEOUT))


def _settings(retries: Mapping[str, Any], timeout: object) -> StepSettings:
    timeout_ms = duration_ms(timeout)
    backoff = cast("Backoff", retries["backoff"])
    policy = StepPolicy(int(retries["limit"]) + 1, duration_ms(retries["delay"]), backoff, timeout_ms)
    return StepSettings(policy, JsDict(retries=JsDict(retries), timeout=timeout), timeout_ms)


_DEFAULTS = _settings(_DEFAULT_RETRIES, _DEFAULT_TIMEOUT)


def _is_config(config: object) -> bool:
    if not isinstance(config, Mapping):
        return False
    given = dict(cast("Mapping[str, object]", config))
    timeout, retries = given.pop("timeout", "1 second"), given.pop("retries", None)
    if given.pop("sensitive", "output") != "output" or given or not _is_span(timeout) or timeout == 0:
        return False
    if retries is None:
        return True
    if not isinstance(retries, Mapping):
        return False
    policy = dict(cast("Mapping[str, object]", retries))
    limit, delay, backoff = policy.pop("limit", None), policy.pop("delay", None), policy.pop("backoff", "constant")
    is_limit = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0
    return not policy and is_limit and _is_span(delay) and backoff in _BACKOFFS


def _is_span(value: object) -> bool:
    return span_ms(value) >= 0
