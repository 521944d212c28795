"""Starts programs that end when the test run ends, however it ends (on Linux; elsewhere a killed run leaves them)."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PR_SET_PDEATHSIG = 1

_starter = ThreadPoolExecutor(1, "starts-children")
"""Linux means the thread that started a child, not its process: it must live as long as the test run."""


def spawn(command: Sequence[str], *, last: signal.Signals = signal.SIGKILL, **options: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`; the program gets the signal `last` when this process is no more."""
    start = functools.partial(subprocess.Popen[Any], command, preexec_fn=_bequest(last), **options)
    return _starter.submit(start).result()


def _bequest(last: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    # Everything is looked up before the fork, after which little is safe to do.
    return functools.partial(_die_with_parent, ctypes.CDLL(None).prctl, int(last), os.getpid())


def _die_with_parent(prctl: Callable[[int, int], int], last: int, parent: int) -> None:
    prctl(PR_SET_PDEATHSIG, last)
    if os.getppid() != parent:
        os._exit(1)  # it was gone before it could be asked to leave a signal
