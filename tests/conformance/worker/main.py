"""The main module of the worker under test: the same on every platform."""

from __future__ import annotations

from lab import Lab
from workers import Response, WorkerEntrypoint

__all__ = ["Default", "Lab"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("no such path", status=404)
