"""Taking over the queue items of the JavaScript SDK before 0.32, which had a table of their own. It stays."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jobs.port import QUEUE
from agents_runtime._core.jsonx import Json, loads
from agents_runtime._core.retry import RetryPolicy, resolve_retry
from agents_runtime.queue.items import VERSION, VERSION_KEY

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Jobs
    from agents_runtime._platform.ports import Platform, Row

logger = logging.getLogger("agents_runtime")


def migrate(platform: Platform, jobs: Jobs, defaults: RetryPolicy) -> None:
    """Copy the items of the old table into the job table, in order."""
    now_ms = platform.clock.now_ms()
    for row in platform.sql.execute("SELECT * FROM cf_agents_queues ORDER BY created_at, rowid"):
        try:
            _copy(row, jobs, defaults, now_ms)
        except (ValueError, TypeError) as error:
            logger.error("the queue item %s of an older version is left out: %s", row["id"], error)
    platform.kv.put(VERSION_KEY, VERSION)


def _copy(row: Row, jobs: Jobs, defaults: RetryPolicy, now_ms: int) -> None:
    payload: dict[str, Json] = {}
    if isinstance(row["payload"], str):
        payload["payload"] = loads(row["payload"])
    payload["owner_path"] = payload["owner_path_key"] = None
    retry: Any = loads(row["retry_options"]) if isinstance(row.get("retry_options"), str) else None
    policy = resolve_retry(retry, defaults)
    jobs.push(QUEUE, row["callback"], now_ms, job_id=str(row["id"]), payload=payload, retry=policy)
