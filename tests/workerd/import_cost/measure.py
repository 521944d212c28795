"""Imports the library within a request and tells what that cost."""

from __future__ import annotations

import sys
import time
import tracemalloc

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        before = set(sys.modules)
        tracemalloc.start()
        started = time.perf_counter()
        from agents_runtime import Agent, callable, route_agent_request  # noqa: F401 - what a worker imports

        traced_s = time.perf_counter() - started
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        added = sorted(set(sys.modules) - before)
        for name in [name for name in sys.modules if name.startswith("agents_runtime")]:
            del sys.modules[name]
        started = time.perf_counter()
        __import__("agents_runtime.agent")
        return Response.json(
            {"heap_bytes": size, "traced_s": traced_s, "again_s": time.perf_counter() - started, "modules": added}
        )
