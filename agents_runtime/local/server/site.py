"""What answers requests: a running project, or the reason why there is none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agents_runtime.errors import Evicted
from agents_runtime.local.shim.response import Response

if TYPE_CHECKING:
    from agents_runtime.errors import ConfigError
    from agents_runtime.local.assets import Assets
    from agents_runtime.local.host import Host
    from agents_runtime.local.project import Project
    from agents_runtime.local.shim.request import Request

logger = logging.getLogger("agents_runtime.local.server")

RESERVED = "/cdn-cgi/"
"""Paths of the platform's own. They never reach a worker."""


class ProjectSite:
    """A project on a host: its files, and its worker.

    Args:
        project: what is running.
        host: where its objects live; started and stopped by the caller.
        assets: the files to serve beside the worker.
        is_dev: failures answer with their traceback.
    """

    def __init__(self, project: Project, host: Host, assets: Assets | None, *, is_dev: bool) -> None:
        self._project = project
        self._host = host
        self._assets = assets
        self._is_dev = is_dev
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, request: Request) -> Response:
        """The response of the files or the worker."""
        self._active += 1
        try:
            if self._assets is not None or RESERVED in request.url:
                path = _path_of(request.url)
                if path.startswith(RESERVED):
                    return await self._internal(request, path) or _text(404, "Not Found\n")
                found = await self._from_files(request, path)
                if found is not None:
                    return found
            return await self._host.fetch(request)
        except (Exception, Evicted) as error:  # an object that is reset fails its callers with a BaseException
            logger.error("%s %s failed", request.method.value, _path_of(request.url), exc_info=error)
            if self._is_dev:
                from agents_runtime.local.server.error_page import failure_response

                return failure_response(error, request, self._project.config.root)
            return _text(500, "Internal Server Error")
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def _internal(self, request: Request, path: str) -> Response | None:
        from agents_runtime.local.mail.endpoint import answer_mail

        return await answer_mail(self._host.mail, request, path, is_dev=self._is_dev)

    async def _from_files(self, request: Request, path: str) -> Response | None:
        """What needs no worker, or None."""
        if self._assets is None:
            return None
        if self._project.entrypoint is None:
            return await self._assets.fetch(request)
        if self._assets.should_run_worker_first(path):
            return None
        return await self._assets.answer(request)

    async def finish(self, grace_s: float) -> None:
        """Wait until nothing is being answered, at most `grace_s`."""
        if self._active:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), grace_s)
            except TimeoutError:
                logger.warning("%s requests did not finish within %s s", self._active, grace_s)


class BrokenSite:
    """Stands in while the project cannot be loaded."""

    def __init__(self, error: ConfigError) -> None:
        self._error = error

    async def answer(self, request: Request) -> Response:
        """A page that says what to fix."""
        from agents_runtime.local.server.error_page import broken_response

        return broken_response(self._error, request)


def _path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]


def _text(status: int, text: str) -> Response:
    return Response.made(status, [("content-type", "text/plain; charset=utf-8")], text)
