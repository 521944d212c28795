"""DBOS with SQLite as its system database: one workflow of many steps. usage: FOLDER STEPS"""

from __future__ import annotations

import os
import sys

from common import measured, report
from dbos import DBOS

DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{sys.argv[1]}/dbos.sqlite",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
def act(number):
    return number


@DBOS.workflow()
def walk(n):
    for number in range(n):
        act(number)
    return n


if __name__ == "__main__":
    DBOS.launch()
    walk(1)
    count = int(sys.argv[2])
    report(steps=measured(count, lambda: walk(count)))
    os._exit(0)
