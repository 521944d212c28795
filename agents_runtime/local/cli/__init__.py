"""The command `agents-runtime`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("click", "uvicorn", "websockets")


def main() -> None:
    """Run the command line; the exit code is the process's."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"agents-runtime needs its `server` extra ({', '.join(missing)} missing). Install it with:\n\n"
            '    pip install "agents_runtime[server]"\n\n'
        )
        sys.exit(1)
    from agents_runtime.local.cli.commands import cli

    cli(prog_name="agents-runtime")
