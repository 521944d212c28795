"""Gathers what `deploy_checks` decides about: programs, files, installed packages, sizes. No network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import Config
from agents_runtime.local.config_checks import Table
from agents_runtime.local.deploy_checks import Installed, Sizes, Tools, Version, is_excluded, normalise, parse_version

PROGRAM_TIMEOUT_S = 20.0
PACKAGE = Path(__file__).parent.parent
NEVER_UPLOADED = ("**/*.pyc", "local/**", "testing/**")


def search_path() -> str:
    """The PATH, and after it the folder of this interpreter: a virtual environment need not be activated."""
    return os.pathsep.join(filter(None, [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))


def find_tools(root: Path) -> Tools:
    """Look for the programs, and ask each for its version."""
    path = search_path()
    return Tools(
        uv=_version_of("uv", path),
        node=_version_of("node", path),
        has_npx=shutil.which("npx", path=path) is not None,
        wrangler=_wrangler_of(root),
        has_pywrangler=shutil.which("pywrangler", path=path) is not None,
    )


def _version_of(program: str, path: str) -> Version | None:
    found = shutil.which(program, path=path)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "--version"], capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_version(done.stdout)


def _wrangler_of(root: Path) -> Version | None:
    """The version that npx would take from `node_modules` of the project or a folder above it."""
    for folder in (root, *root.parents):
        try:
            data: object = json.loads((folder / "node_modules/wrangler/package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return parse_version(str(cast("dict[str, object]", data).get("version"))) if isinstance(data, dict) else ()
    return None


def read_dependencies(root: Path) -> tuple[str, ...]:
    """`project.dependencies` of the pyproject.toml; none when there is no such file.

    Raises:
        ConfigError: the file cannot be read, or its dependencies are no list of texts.
    """
    return _pyproject(root).table("project").texts("dependencies")


def read_sources(root: Path) -> frozenset[str]:
    """The packages whose place `tool.uv.sources` of the pyproject.toml tells, by normalised name.

    Raises:
        ConfigError: the file cannot be read.
    """
    return frozenset(map(normalise, _pyproject(root).table("tool").table("uv").table("sources").values))


def _pyproject(root: Path) -> Table:
    file = root / "pyproject.toml"
    try:
        return Table(file, "", tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Table(file, "", {})
    except (OSError, ValueError) as exc:
        raise ConfigError(file, None, f"cannot be read: {exc}") from exc


def find_installed(name: str) -> Installed | None:
    """A package of this environment, by name."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    wheel = found.read_text("WHEEL")
    is_pure = None if wheel is None else "root-is-purelib: true" in wheel.lower()
    return Installed(is_pure, tuple(found.requires or ()), _origin(found.read_text("direct_url.json")))


def _origin(direct_url: str | None) -> str | None:
    try:
        data: object = json.loads(direct_url or "null")
    except ValueError:
        return None
    return str(cast("dict[str, object]", data).get("url")) if isinstance(data, dict) else None


def measure(config: Config) -> Sizes:
    """Compress what would be uploaded, as a deploy does: all files of a kind in one stream."""
    library = (path for path in _files(PACKAGE) if not is_excluded(_below(path, PACKAGE), NEVER_UPLOADED))
    own: Iterable[Path] = ()
    modules = config.root / "python_modules"
    if config.main is not None:
        own = (path for path in _files(config.main.parent) if path.suffix == ".py" and modules not in path.parents)
    uploaded = (path for path in _files(modules) if not is_excluded(_below(path, modules), config.bundle_excludes))
    return Sizes(_compressed(library), _compressed(own), _compressed(uploaded) if modules.is_dir() else None)


def _files(folder: Path) -> list[Path]:
    """Every file below a folder, without folders that are generated or hidden."""
    found: list[Path] = []
    for parent, names, files in os.walk(folder):
        names[:] = sorted(
            name for name in names if not name.startswith(".") and name not in ("node_modules", "__pycache__")
        )
        found += [Path(parent, name) for name in sorted(files)]
    return found


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _compressed(paths: Iterable[Path]) -> int:
    packer = zlib.compressobj()
    return sum(len(packer.compress(path.read_bytes())) for path in paths) + len(packer.flush())
