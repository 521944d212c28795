"""`agents-runtime new`: a project written from the templates inside the package. No network."""

from __future__ import annotations

import re
from pathlib import Path

from agents_runtime.errors import UsageError

TEMPLATES = Path(__file__).parent.parent / "templates"
DOT = "dot."
"""A template's `dot.gitignore` becomes the project's `.gitignore`."""

MAX_NAME_CHARS = 63
PLACEHOLDER = "{{name}}"


def templates() -> list[str]:
    """The names `agents-runtime new --template` takes."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))


def project_name(folder: Path) -> str:
    """The name of the project in a folder, as package indexes and wrangler allow it.

    Raises:
        UsageError: nothing of the folder's name can be used.
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:MAX_NAME_CHARS].strip("-")
    if not name:
        raise UsageError(f"{folder.name!r} cannot be the name of a project: use letters, digits and hyphens")
    return name


def create_project(folder: Path, template: str = "counter") -> Path:
    """Write a template into a folder that does not exist or is empty.

    Raises:
        UsageError: the folder holds something, cannot be written, or there is no such template.
    """
    if template not in templates():
        raise UsageError(f"there is no template {template!r}; there is: {', '.join(templates())}")
    name = project_name(folder.absolute())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not an empty folder: choose another name")
    source = TEMPLATES / template
    try:
        for path in sorted(source.rglob("*")):
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            target = folder / path.relative_to(source)
            if target.name.startswith(DOT):
                target = target.with_name(target.name.removeprefix(DOT[:-1]))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text(encoding="utf-8").replace(PLACEHOLDER, name), encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{folder} cannot be written: {exc.strerror}") from exc
    return folder
