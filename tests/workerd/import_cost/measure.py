"""Imports the library within a request and tells what that cost: `/` the memory, `/timed` the time.

Each needs a process of its own, because only the first import costs anything, and tracing memory takes time.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from importlib.machinery import SourceFileLoader
from typing import Any

from workers import Response, WorkerEntrypoint


class Compiling:
    """Counts the time that the compiler takes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        compiled = SourceFileLoader.source_to_code

        def source_to_code(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            code = compiled(*args, **options)
            self.seconds += time.perf_counter() - started
            return code

        SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign]  # this process measures only


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        before = set(sys.modules)
        if request.url.endswith("/timed"):
            compiling = Compiling()
            started = time.perf_counter()
            from agents_runtime import Agent, callable, route_agent_request

            return Response.json({"import_s": time.perf_counter() - started, "compile_s": compiling.seconds})
        tracemalloc.start()
        from agents_runtime import Agent, callable, route_agent_request  # noqa: F401 - what a worker imports

        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return Response.json({"heap_bytes": size, "modules": sorted(set(sys.modules) - before)})
