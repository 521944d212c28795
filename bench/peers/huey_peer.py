"""huey's SqliteHuey: jobs enqueued one by one, then processed by one worker. usage: FOLDER ITEMS SYNCED_ITEMS"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from common import measured, report, wait_until
from huey import SqliteHuey

logging.disable(logging.CRITICAL)


def run(folder: Path, n: int, *, is_synced: bool) -> dict[str, float]:
    """Enqueue `n` jobs and process them. As huey comes, nothing is synced; `is_synced` syncs each commit."""
    name = "synced" if is_synced else "unsynced"
    huey = SqliteHuey(name, filename=str(folder / f"{name}.db"), fsync=is_synced, results=False)
    hits = []

    @huey.task()
    def hit(item):
        hits.append(item["number"])

    def work():
        for number in range(n):
            hit({"number": number})
        consumer = huey.create_consumer(workers=1, worker_type="thread", periodic=False, initial_delay=0.01)
        consumer.start()
        wait_until(lambda: len(hits) >= n)
        consumer.stop(graceful=False)

    return measured(n, work)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    unsynced = run(where, int(sys.argv[2]), is_synced=False)
    report(queue=unsynced, queue_synced=run(where, int(sys.argv[3]), is_synced=True))
    os._exit(0)  # its threads would be waited for
