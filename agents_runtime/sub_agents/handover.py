"""Jobs of sub-agents that the JavaScript SDK keeps in the table of their root: given to the sub-agents when due.

A job is stored there before it is deleted here, under the same id: a crash in between hands it over again, which
changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jobs.port import QUEUE, SCHEDULER
from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._core.retry import retry_from_json, retry_to_json

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job, Jobs
    from agents_runtime._platform.child.identity import Step


def owner_of(job: Job) -> list[Step]:
    """The path of the sub-agent that a job belongs to, the root first. Raises ValueError if the row tells none."""
    payload: Any = job.payload
    owner = payload["owner_path"]
    return cast("list[Step]", loads(owner) if isinstance(owner, str) else owner)


def packed_job(job: Job) -> dict[str, Any]:
    """A job as it travels."""
    payload: Any = job.payload
    return {
        "id": job.id,
        "capability": job.capability,
        "fn": job.fn,
        "time": job.time_ms,
        "payload": dumps({**payload, "owner_path": None, "owner_path_key": None}),
        "retry": None if job.retry is None else retry_to_json(job.retry),
        "singleflight": job.singleflight,
        "hung": job.hung_timeout_s,
    }


def adopt(jobs: Jobs, given: dict[str, Any]) -> None:
    """Store a job that travelled here, unless it is here already."""
    capability, job_id = given["capability"], given["id"]
    if capability in (SCHEDULER, QUEUE) and jobs.get(capability, job_id) is None:
        jobs.push(
            capability,
            given["fn"],
            int(given["time"]),
            job_id=job_id,
            payload_text=given["payload"],
            retry=None if given["retry"] is None else retry_from_json(given["retry"]),
            singleflight=given["singleflight"],
            hung_timeout_s=given["hung"],
        )
