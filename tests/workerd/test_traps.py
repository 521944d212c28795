"""What the platform does to those who are not careful, and that the adapter is. Storage, sockets, alarms and calls are
in tests/conformance; here is what only the real runtime has.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.workerd.rig import RemoteError, Rig
from tests.workerd.tools import HERE

IMPORT_HEAP_BYTES = 3 * 2**20
POISONED = "Cannot enter a promising task"
BORROWED = "borrowed proxy was automatically destroyed"


def ask(rig, path, method="GET"):
    status, body = rig.process.request(rig.port, path, None if method == "GET" else {})
    return status, body.decode()


def console_until(rig, since, wanted, seconds=5.0):
    """What was logged since, once something wanted is in it."""
    for _ in range(int(seconds / 0.05)):
        if any(wanted in text for _, text in rig.console(since)):
            break
        time.sleep(0.05)
    return rig.console(since)


def test_nothing_asks_for_entropy_while_the_worker_is_imported(rig):
    assert rig.control("ready") == {"randomCallsAtImport": 0}


def test_no_module_of_ours_keeps_a_javascript_object_but_the_namespace_itself(rig):
    """A memory snapshot of the imported worker could not be made with one."""
    assert rig.call("PROBE", "globals", "javascript_globals") == []


def test_log_records_keep_their_level(rig):
    since = rig.log_size()
    rig.call("DESK", "logs", "log")
    seen = console_until(rig, since, "level 40")
    assert ("warn", "suite: a record of level 30") in seen
    assert ("error", "suite: a record of level 40") in seen


def test_a_record_below_warning_is_shown_once_its_logger_asks_for_it(rig):
    since = rig.log_size()
    rig.call("PROBE", "logs", "log_at", "suite.quiet", "INFO")
    seen = console_until(rig, since, "an informative record")
    assert ("info", "suite.quiet: an informative record") in seen


def test_background_work_leaves_no_complaint_and_its_failure_is_logged(rig):
    since = rig.log_size()
    rig.call("PORTS", "background", "spawn")
    seen = console_until(rig, since, "nobody awaits this")
    assert [level for level, text in seen if "nobody awaits this" in text] == ["error"]
    assert not [text for _, text in seen if BORROWED in text]


def test_an_abort_harms_no_other_object(rig):
    since = rig.log_size()
    for number in range(3):
        with pytest.raises(RemoteError):
            rig.call("PORTS", f"aborted-{number}", "abort")
        assert rig.call("PROBE", f"bystander-{number}", "count") == 1
    assert not [text for _, text in rig.console(since) if POISONED in text]


def test_columns_and_keys_never_hold_javascript_values(rig):
    assert rig.call("PORTS", "types", "foreign_types") == []


def test_importing_the_library_costs_little_memory(workerd_tools, tmp_path):
    """Of the worker's 128 MB. How long it takes depends on the machine and is no test."""
    measured = Rig(workerd_tools, HERE / "import_cost", tmp_path)
    measured.start()
    try:
        cost = json.loads(ask(measured, "/")[1])
    finally:
        measured.stop()
    foreign = {name.partition(".")[0] for name in cost["modules"]} - {"agents_runtime"}
    assert not foreign & {"pydantic", "croniter", "httpx", "sqlite3", "uuid", "secrets"}
    assert cost["heap_bytes"] < IMPORT_HEAP_BYTES
