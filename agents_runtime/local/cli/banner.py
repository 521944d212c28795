"""What the server says about itself: when it is ready, and after a reload."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agents_runtime.local.server.access import LineWriter, LogFormat, timestamp

if TYPE_CHECKING:
    from agents_runtime.local.project import Project

MAX_SHOWN_CHARS = 60


def installed_version() -> str:
    """The version of this package, or "unknown" when it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("agents_runtime")
    except PackageNotFoundError:
        return "unknown"


class Banner:
    """Writes the lines, as text or as JSON."""

    def __init__(self, log_format: LogFormat, lines: LineWriter) -> None:
        self._is_json = log_format == "json"
        self._lines = lines

    def ready(self, url: str, project: Project | None, data: Path) -> None:
        """The server accepts connections. `project` is None while it cannot be loaded."""
        if self._is_json:
            classes = [] if project is None else sorted(project.classes)
            self._event("ready", f"Ready on {url}", url=url, classes=classes, data=str(data), process=os.getpid())
        else:
            self._lines.write(f"\n  {self._bold(f'Ready on {url}')}\n")
            self._lines.write(f"  Data      {_short(data)}")
        if project is not None:
            self._describe(project)
        if not self._is_json:
            self._lines.write("\n  Press Ctrl+C to stop\n")
        self._lines.flush()

    def reloaded(self, files: list[str], took_s: float, project: Project) -> None:
        """A new version of the project took over."""
        text = f"Reloaded in {took_s * 1000:.0f} ms ({', '.join(files)})"
        if self._is_json:
            self._event("reload", text, ms=round(took_s * 1000), files=files)
        else:
            self._lines.write(text)
        self._note(project.notes)
        self._lines.flush()

    def _describe(self, project: Project) -> None:
        if not self._is_json:
            for index, (name, what) in enumerate(_bindings(project)):
                self._lines.write(f"  {'Bindings' if not index else '':9} {f'env.{name}':22} {what}")
        self._note(project.notes)

    def _note(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            if self._is_json:
                self._event("note", note)
            else:
                self._lines.write(f"  Note      {note}")

    def _event(self, event: str, message: str, **fields: object) -> None:
        head = {"time": timestamp(time.time()), "level": "info", "event": event, "message": message}
        self._lines.write(json.dumps({**head, **fields}, ensure_ascii=False, separators=(",", ":")))

    def _bold(self, text: str) -> str:
        return f"\x1b[1;32m{text}\x1b[0m" if self._lines.is_terminal else text


def _bindings(project: Project) -> list[tuple[str, str]]:
    config = project.config
    shown: list[tuple[str, str]] = []
    for binding in config.bindings:
        bases = project.classes[binding.class_name].__mro__
        kind = "Agent" if any(base.__module__ == "agents_runtime.agent" for base in bases) else "Durable Object"
        shown.append((binding.name, f"{kind} {binding.class_name}"))
    shown += [(workflow.name, f"Workflow {workflow.class_name}") for workflow in config.workflows]
    if config.assets is not None and config.assets.binding:
        shown.append((config.assets.binding, f"files of {_short(config.assets.directory)}"))
    for name, value in config.vars.items():
        text = "(hidden)" if name in config.secret_names else json.dumps(value, ensure_ascii=False, default=str)
        shown.append((name, text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."))
    return shown


def _short(path: Path) -> str:
    """The path from here, when that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return relative if len(relative) < len(str(path)) else str(path)
