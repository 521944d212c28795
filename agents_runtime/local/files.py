"""How many files this process may keep open."""

from __future__ import annotations

import sys

DESCRIPTORS_PER_DATABASE = 3
"""A SQLite database in WAL mode holds three: the file, its log, the log's index (seen with 3.40)."""

RESERVED_DESCRIPTORS = 512
"""Kept for sockets, the log list and the process itself, at least."""

FALLBACK_DATABASES = 256


def default_open_databases() -> int:
    """Half of what the limit of descriptors allows; the other half is for WebSockets."""
    if sys.platform == "win32":
        return FALLBACK_DATABASES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass
    if soft == resource.RLIM_INFINITY:
        return 100_000
    return max((soft - RESERVED_DESCRIPTORS) // 2 // DESCRIPTORS_PER_DATABASE, 16)
