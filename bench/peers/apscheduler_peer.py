"""APScheduler 3 with its SQLAlchemy job store on SQLite. usage: FOLDER SCHEDULES"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from common import measured, report, wait_until

logging.disable(logging.CRITICAL)
hits = []


def hit(item):
    hits.append(item["number"])


def main(folder: str, n: int) -> None:
    sys.modules["apscheduler_peer"] = sys.modules["__main__"]  # jobs are stored with the name of their function
    store = SQLAlchemyJobStore(url=f"sqlite:///{folder}/jobs.db")
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone="UTC")
    scheduler.start(paused=True)

    def create(when: datetime) -> None:
        for number in range(n):
            scheduler.add_job(hit, "date", run_date=when, args=[{"number": number}], misfire_grace_time=None)

    def fire() -> None:
        scheduler.resume()
        wait_until(lambda: len(hits) >= n)

    created = measured(n, lambda: create(datetime.now(UTC) + timedelta(hours=1)))
    scheduler.remove_all_jobs()
    create(datetime.now(UTC) - timedelta(seconds=1))
    report(schedules=created, fire=measured(n, fire))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    os._exit(0)
