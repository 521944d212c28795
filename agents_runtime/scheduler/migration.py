"""Taking over the schedules of the JavaScript SDK before 0.32, which had a table of their own.

The rows are copied and the old table stays: it is not read again, and an older version of the code still finds it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jobs.port import SCHEDULER
from agents_runtime._core.jsonx import Json, loads
from agents_runtime._core.retry import resolve_retry
from agents_runtime.errors import UsageError
from agents_runtime.scheduler.schedules import VERSION, VERSION_KEY

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Jobs
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._platform.ports import Platform, Row

logger = logging.getLogger("agents_runtime")

_HEARTBEAT = "_cf_keepAliveHeartbeat"
_RECOVERY_LOOPS = ("_chatRecoveryContinue", "_chatRecoveryRetry")
_TYPES = ("scheduled", "delayed", "cron", "interval")


def migrate(platform: Platform, jobs: Jobs, options: AgentOptions) -> None:
    """Copy the schedules of the old table into the job table."""
    for row in platform.sql.execute("SELECT * FROM cf_agents_schedules ORDER BY time, created_at, id"):
        try:
            _copy(row, jobs, options)
        except (ValueError, TypeError) as error:
            logger.error("the schedule %s of an older version is left out: %s", row["id"], error)
    platform.kv.put(VERSION_KEY, VERSION)


def _copy(row: Row, jobs: Jobs, options: AgentOptions) -> None:
    if row["callback"] == _HEARTBEAT:
        return
    if row["type"] not in _TYPES:
        raise UsageError(f"unknown type {row['type']!r}")
    payload: dict[str, Json] = {}
    if isinstance(row["payload"], str):
        payload["payload"] = loads(row["payload"])
    retry: Any = loads(row["retry_options"]) if isinstance(row.get("retry_options"), str) else None
    if retry is not None:
        payload["retry"] = retry
    payload["type"] = row["type"]
    for key in ("delayInSeconds", "cron", "intervalSeconds"):
        if row.get(key) is not None:
            payload[key] = row[key]
    payload["owner_path"] = row.get("owner_path")
    payload["owner_path_key"] = row.get("owner_path_key")
    jobs.push(
        SCHEDULER,
        row["callback"],
        int(row["time"]) * 1000,
        job_id=str(row["id"]),
        payload=payload,
        retry=resolve_retry(retry, options.retry),
        singleflight=row["type"] == "interval",
        hung_timeout_s=options.hung_schedule_timeout_seconds,
        recovery_loop=row["callback"] in _RECOVERY_LOOPS,
    )
