"""What `dev` and `serve` do: take the port and the data, load the project, run the server until it is stopped."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agents_runtime.errors import ConfigError
from agents_runtime.local.cli.banner import Banner
from agents_runtime.local.config import find_config, read_config
from agents_runtime.local.options import Durability, HostOptions
from agents_runtime.local.project import ProjectLoader
from agents_runtime.local.server.access import AccessLog, standard_lines
from agents_runtime.local.server.app import Application
from agents_runtime.local.server.limits import Limits
from agents_runtime.local.server.listen import DataLock, listen, shown_url
from agents_runtime.local.server.logs import set_up_logging
from agents_runtime.local.server.runner import Server, run_loop
from agents_runtime.local.server.stage import RELOAD_GRACE_S, Stage
from agents_runtime.local.watchdog import Watchdog

if TYPE_CHECKING:
    import socket

    from agents_runtime.local.reload import ProjectWatch
    from agents_runtime.local.server.access import LineWriter

logger = logging.getLogger("agents_runtime.local.server")

DATA_FOLDER = ".agents"
FINISH_S = 10.0
"""What requests and events in progress are given when `serve` ends; `dev` gives `RELOAD_GRACE_S`."""


@dataclass(frozen=True)
class ServeOptions:
    """The options of `dev` and `serve`."""

    is_dev: bool
    reload: bool
    config: Path = Path()
    host: str = "127.0.0.1"
    port: int = 8787
    data: Path | None = None
    durability: Durability = "power"
    idle_timeout: float = 10.0
    log_format: Literal["text", "json"] = "text"
    access_log: bool = True

    @property
    def grace_s(self) -> float:
        """What is given to work in progress at the end."""
        return RELOAD_GRACE_S if self.is_dev else FINISH_S


def run(options: ServeOptions) -> int:
    """Run a server until a signal; returns the exit code.

    Raises:
        StartError: the port or the data folder is not to be had.
        ConfigError: the project cannot run (`dev` raises it only when there is no project file to watch).
    """
    file = find_config(options.config.absolute())
    data = (options.data or file.parent / DATA_FOLDER).absolute()
    bound = listen(options.host, options.port)
    lock = DataLock(data)
    try:
        lock.take()
        lines = standard_lines()
        set_up_logging(options.log_format, lines)
        try:
            return run_loop(_serve(options, file, data, bound, lines))
        finally:
            lines.flush()
    finally:
        lock.release()
        bound.close()


async def _serve(options: ServeOptions, file: Path, data: Path, bound: socket.socket, lines: LineWriter) -> int:
    limits = Limits()
    app = Application(limits, AccessLog(options.log_format, lines) if options.access_log else None)
    stage = Stage(ProjectLoader(file), app, _host_options(options, data), is_dev=options.is_dev)
    server = Server(app, limits, bound, options.grace_s)
    banner = Banner(options.log_format, lines)
    watch = await _started_watch(file, data) if options.reload else None
    try:
        await stage.start()
    except ConfigError as exc:
        if not options.is_dev:
            raise
        stage.show(exc)
    reloading = asyncio.create_task(_reload(watch, stage, banner, file.parent)) if watch is not None else None
    url = shown_url(bound)
    watchdog = Watchdog(HostOptions.slow_event_s)
    watchdog.start()
    try:
        await server.run_until_stopped(
            on_ready=lambda: banner.ready(url, stage.project, data), on_stop=lambda: stage.stop(options.grace_s)
        )
    finally:
        watchdog.stop()
        if reloading is not None:
            reloading.cancel()
    return 0


def _host_options(options: ServeOptions, data: Path) -> HostOptions:
    return HostOptions(
        data=data,
        durability=options.durability,
        idle_timeout_s=options.idle_timeout,
        lock_files=not options.is_dev,
        debug=options.is_dev,
    )


async def _started_watch(file: Path, data: Path) -> ProjectWatch | None:
    try:
        from agents_runtime.local.reload import ProjectWatch
    except ImportError:
        logger.warning("changes are not noticed: pip install watchfiles, or pass --no-reload")
        return None
    try:
        main = read_config(file).main
    except ConfigError:
        main = None  # said when the project is loaded
    watch = ProjectWatch(file.parent, main.parent if main is not None else None, ignored=data)
    await watch.start()
    return watch


async def _reload(watch: ProjectWatch, stage: Stage, banner: Banner, root: Path) -> None:
    from agents_runtime.local.reload import reload_on_change

    async def reload(found: list[Path]) -> None:
        took_s = await stage.restart()
        if took_s is not None and stage.project is not None:
            banner.reloaded([_relative(path, root) for path in found], took_s, stage.project)

    await reload_on_change(watch, reload)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
