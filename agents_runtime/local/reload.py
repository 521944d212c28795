"""Watches a project's files while it is being developed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from watchfiles import Change, awatch  # pyright: ignore[reportUnknownVariableType] # trio's event, which is not installed

logger = logging.getLogger("agents_runtime.local.reload")

SUFFIXES = (".py", ".toml", ".jsonc")
NAMES = (".dev.vars", ".env", "wrangler.json")
IGNORED = frozenset({"node_modules", "__pycache__", "python_modules", "site-packages", "build", "dist", "tests"})
"""Folders without sources of the worker. Those with a leading dot are left out too."""
STEP_MS, DEBOUNCE_MS = 50, 200

Found = list[Path] | Exception


def is_source(path: Path) -> bool:
    """Whether a change of this file changes what runs. Static files are read when they are asked for."""
    return path.name in NAMES or (path.suffix in SUFFIXES and not path.name.startswith("."))


class ProjectWatch:
    """The folders of one project that may hold sources.

    Args:
        root: the project's folder.
        extra: a folder outside it that holds sources too.
        ignored: a folder inside it that holds none, such as the data.
    """

    def __init__(self, root: Path, extra: Path | None = None, *, ignored: Path | None = None) -> None:
        self._root = root
        self._ignored = ignored
        self._extra = [] if extra is None or extra == root or root in extra.parents else [extra]
        self._queue: asyncio.Queue[Found] = asyncio.Queue()
        self._watched: list[Path] | None = None
        self._top: asyncio.Task[None] | None = None
        self._below: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch from now on: what changes after this returns is found by `changes`."""
        self._top = await self._watch([self._root], recursive=False)
        await self._watch_below()

    def stop(self) -> None:
        """Stop watching."""
        for task in (self._top, self._below):
            if task is not None:
                task.cancel()

    async def changes(self) -> AsyncIterator[list[Path]]:
        """Sources that changed, those of one moment together. Raises what the system refused to watch."""
        while True:
            found = await self._queue.get()
            if isinstance(found, Exception):
                raise found
            found += await self._watch_below()
            if sources := sorted({path for path in found if is_source(path)}):
                yield sources

    async def _watch_below(self) -> list[Path]:
        """Watch the folders there are now. Returns the sources in those that are new."""
        folders, former = self._folders(), self._watched
        if folders == former:
            return []
        self._watched = folders
        if self._below is not None:
            self._below.cancel()
        self._below = await self._watch(folders, recursive=True) if folders else None
        new = [] if former is None else [folder for folder in folders if folder not in former]
        return [path for folder in new for path in folder.rglob("*") if is_source(path)]

    async def _watch(self, folders: list[Path], *, recursive: bool) -> asyncio.Task[None]:
        watching = awatch(
            *folders, watch_filter=self._is_of_interest, recursive=recursive, step=STEP_MS, debounce=DEBOUNCE_MS
        )
        first = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0)  # the first step of `awatch` asks the system to watch
        return asyncio.create_task(self._collect(first, watching))

    async def _collect(
        self, found: asyncio.Future[set[tuple[Change, str]]], watching: AsyncIterator[set[tuple[Change, str]]]
    ) -> None:
        try:
            while True:
                self._queue.put_nowait([Path(path) for _, path in await found])
                found = asyncio.ensure_future(anext(watching))
        except StopAsyncIteration:
            return
        except (OSError, RuntimeError) as error:
            self._queue.put_nowait(error)

    def _folders(self) -> list[Path]:
        inside = [path for path in self._root.iterdir() if path.is_dir() and not _is_ignored(path.name)]
        return sorted(path for path in inside if path != self._ignored) + self._extra

    def _is_of_interest(self, change: Change, text: str) -> bool:
        path = Path(text)
        if not is_source(path) and not (change is Change.added and path.is_dir()):
            return False
        parts = path.relative_to(self._root).parts[:-1] if path.is_relative_to(self._root) else ()
        return not any(_is_ignored(part) for part in parts)


def _is_ignored(folder: str) -> bool:
    return folder in IGNORED or folder.startswith(".")


async def reload_on_change(watch: ProjectWatch, reload: Callable[[list[Path]], Awaitable[None]]) -> None:
    """Call `reload` for every change of sources that a started watch finds, one after the other, until cancelled."""
    try:
        async for found in watch.changes():
            try:
                await reload(found)
            except Exception:
                logger.exception("reloading failed; the next change tries again")
    except (OSError, RuntimeError) as error:
        logger.warning("changes are not noticed any more (%s); restart to reload", error)
    finally:
        watch.stop()
