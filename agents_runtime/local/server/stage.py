"""The project that is running, and how another version of it takes its place."""

from __future__ import annotations

import logging
import os
from time import perf_counter
from typing import TYPE_CHECKING

from agents_runtime.errors import AgentError, ConfigError
from agents_runtime.local.host import Host
from agents_runtime.local.mail.smtp import VARIABLE, SmtpRelay, SmtpServer
from agents_runtime.local.server.site import BrokenSite, ProjectSite

if TYPE_CHECKING:
    from agents_runtime.local.options import HostOptions
    from agents_runtime.local.project import Project, ProjectLoader
    from agents_runtime.local.server.app import Application

logger = logging.getLogger("agents_runtime.local.server")

RELOAD_GRACE_S = 2.0
"""What requests and events in progress are given before a reload cuts them off."""


class Stage:
    """Holds at most one host at a time on the data.

    Args:
        loader: where projects come from.
        app: what serves them.
        options: how hosts run; the same for every version of the project.
        is_dev: failures answer with their traceback.
    """

    def __init__(self, loader: ProjectLoader, app: Application, options: HostOptions, *, is_dev: bool) -> None:
        self._loader = loader
        self._app = app
        self._options = options
        self._is_dev = is_dev
        self._relay_to = SmtpServer.of(url) if (url := os.environ.get(VARIABLE)) else None
        self._relay: SmtpRelay | None = None
        self._host: Host | None = None
        self._site: ProjectSite | None = None
        self.project: Project | None = None

    async def start(self) -> None:
        """Load the project and serve it, in place of the version that runs.

        That version goes on until the new one is known to load; then it finishes, commits, and closes its WebSockets
        with 1012, so that clients come back. Requests wait meanwhile.

        Raises:
            ConfigError: the new version cannot run. The one before still does.
        """
        project = self._loader.load()
        host = Host(self._options)
        try:
            assets = project.bind(host)
        except AgentError as exc:
            host.store.close()
            raise exc if isinstance(exc, ConfigError) else ConfigError(project.config.file, None, str(exc)) from exc
        self._app.serve(None)
        await self.stop(RELOAD_GRACE_S)
        await host.start()
        self._start_relay(host)
        self._host, self.project = host, project
        self._site = ProjectSite(project, host, assets, is_dev=self._is_dev)
        self._app.serve(self._site)

    def _start_relay(self, host: Host) -> None:
        """Send on by SMTP what waits in the outbox, if a mail server is named."""
        if self._relay_to is not None:
            host.mail.relays = True
            self._relay = SmtpRelay(self._relay_to, host.mail.outbox)
            self._relay.start()

    async def restart(self) -> float | None:
        """Take in what changed. Returns the seconds it took, or None when the project cannot run: that is served."""
        started = perf_counter()
        try:
            await self.start()
        except ConfigError as exc:
            self.show(exc)
            return None
        except Exception as exc:
            self.show(ConfigError(self._options.data, None, f"the new version did not start: {exc}"))
            raise
        return perf_counter() - started

    def show(self, error: ConfigError) -> None:
        """Answer requests with what is wrong. Objects and WebSockets that run go on."""
        self._app.serve(BrokenSite(error))
        logger.error("%s", error)

    async def stop(self, grace_s: float) -> None:
        """Finish, commit and close everything."""
        host, self._host = self._host, None
        site, self._site = self._site, None
        if site is not None:
            await site.finish(grace_s)
        if host is not None:
            await host.stop(grace_s)
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.stop()
