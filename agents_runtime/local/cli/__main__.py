"""`python -m agents_runtime.local.cli` is `agents-runtime`."""

from __future__ import annotations

from agents_runtime.local.cli import main

main()
