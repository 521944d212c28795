"""What must hold before a deploy, decided from facts that were already gathered. Reads no file, starts no program."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agents_runtime.local.config import FILE_NAMES, Config
from agents_runtime.local.pyodide_packages import PURE_ELSEWHERE, PYODIDE_PACKAGES

Level = Literal["ok", "warn", "fail"]
Version = tuple[int, ...]

MIN_UV: Version = (0, 13, 4)
MIN_NODE: Version = (22, 12)
MIN_WRANGLER: Version = (4, 127, 1)
FREE_LIMIT_BYTES = 3 * 1024 * 1024
PAID_LIMIT_BYTES = 10 * 1024 * 1024
TESTED_PYTHON_SINCE = "2026-09-08"
READABLE = ("wrangler.toml", "wrangler.jsonc")
LOCAL_ONLY = ("agents_runtime/local/host.py", "agents_runtime/testing/plugin.py")
"""One file of each folder that a Worker never imports."""

ADVISED_EXCLUDES = '["**/*.pyc", "agents_runtime/local/**", "agents_runtime/testing/**"]'

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA_MARKER = re.compile(r"""\s*extra\s*==\s*['"]([^'"]+)['"]\s*""")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `fail` stops the deploy; the text then says what to install or change."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Tools:
    """What was found on this machine. None: not found; a version of `()` was not understood."""

    uv: Version | None
    node: Version | None
    has_npx: bool
    wrangler: Version | None
    has_pywrangler: bool


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of this environment.

    Attributes:
        is_pure: whether its wheel is pure Python; None: its metadata does not say.
        requires: its own requirements.
        url: where it was installed from, when that was no package index.
    """

    is_pure: bool | None
    requires: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Compressed bytes. `modules` is None before pywrangler has written `python_modules`."""

    library: int
    own: int
    modules: int | None


def parse_version(text: str) -> Version:
    """The first dotted number of a program's `--version`; empty when there is none."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def check_tools(tools: Tools) -> list[Finding]:
    """The programs that pywrangler needs. `wrangler` may be missing: npx downloads it."""
    found = [
        _check_program("uv", tools.uv, MIN_UV, 'Install it with: pip install "uv>=0.13.4"'),
        _check_program("Node.js", tools.node, MIN_NODE, "Install version 22 or newer from https://nodejs.org"),
    ]
    if not tools.has_npx:
        found.append(Finding("fail", "npx is not on the PATH. It comes with npm: install Node.js with npm"))
    elif tools.wrangler is None:
        found.append(Finding("ok", "wrangler is not installed in the project; npx downloads it"))
    else:
        found.append(
            _check_program("wrangler", tools.wrangler, MIN_WRANGLER, "Update it with: npm i -D wrangler@latest")
        )
    if tools.has_pywrangler:
        found.append(Finding("ok", "pywrangler"))
    else:
        found.append(Finding("fail", "pywrangler is not installed. Install it with: pip install workers-py"))
    return found


def _check_program(name: str, version: Version | None, least: Version, remedy: str) -> Finding:
    needed = _dotted(least)
    if version is None:
        return Finding("fail", f"{name} is not on the PATH. {remedy}")
    if not version:
        return Finding("warn", f"{name}: its version was not understood; {needed} or newer is needed")
    if version < least:
        return Finding("fail", f"{name} is {_dotted(version)}, but {needed} or newer is needed. {remedy}")
    return Finding("ok", f"{name} {_dotted(version)}")


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def check_config(config: Config) -> list[Finding]:
    """What the project file must say for Workers."""
    name = config.file.name
    found: list[Finding] = []
    if name not in READABLE:
        found.append(Finding("fail", f"{name}: pywrangler reads only {' and '.join(READABLE)}. Rename the file"))
    if config.main is None:
        found.append(Finding("fail", f"{name}: main is missing: a project without Python is for `npx wrangler deploy`"))
    if "python_workers" not in config.compatibility_flags:
        found.append(Finding("fail", f'{name}: compatibility_flags: add "python_workers"'))
    if not config.compatibility_date:
        found.append(Finding("fail", f'{name}: compatibility_date is missing. Write one, as in "2026-11-01"'))
    elif config.compatibility_date < TESTED_PYTHON_SINCE:
        found.append(
            Finding(
                "warn",
                f"{name}: compatibility_date {config.compatibility_date} selects a Python older than 3.14, which this"
                f" library is not tested with on Workers. {TESTED_PYTHON_SINCE} or later selects 3.14",
            )
        )
    found += _check_storage(config)
    covered = [path for path in LOCAL_ONLY if not is_excluded(path, config.bundle_excludes)]
    if covered:
        folders = " and ".join(path.rpartition("/")[0] for path in covered)
        found.append(
            Finding(
                "warn",
                f"{name}: {folders} would be uploaded, which no Worker imports. Set python_modules.exclude to"
                f" {ADVISED_EXCLUDES}",
            )
        )
    return found or [Finding("ok", f"{name}: compatibility, bindings and migrations")]


def _check_storage(config: Config) -> list[Finding]:
    without: set[str] = set()
    for step in config.migrations:
        without |= set(step.created_without_sql)
        without = {dict(step.renamed).get(name, name) for name in without} - set(step.deleted)
    return [
        Finding(
            "fail",
            f"{config.file.name}: {binding.class_name} is created by new_classes, without the SQLite storage that it"
            " needs. Move it to new_sqlite_classes of that migration, or if it was ever deployed, create a new class",
        )
        for binding in config.bindings
        if binding.class_name in without
    ]


def check_packages(
    requirements: Iterable[str],
    installed: Callable[[str], Installed | None],
    allowed: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Whether each requirement, and what it requires, can have a wheel for Workers. Decided offline.

    A package passes if its wheel here is pure Python, or if the Pyodide distribution has it. One that is compiled
    here and not in the distribution fails. What is not installed here, or is required under a condition, is
    reported as not checked.
    """
    found: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    count = 0
    waiting = [(text, "", "") for text in requirements]
    while waiting:
        text, parent, extra = waiting.pop(0)
        name, extras, is_needed = _read_requirement(text, extra)
        if name is None or is_needed is False or (name, extras) in seen:
            continue
        seen.add((name, extras))
        shown = f"{name} (required by {parent})" if parent else name
        if is_needed is None and not parent:
            found.append(Finding("warn", f"{shown}: not checked, as it is required under a condition"))
        if is_needed is None:
            continue
        count += 1
        package = installed(name)
        finding = _check_package(name, shown, package, allowed)
        if finding is not None:
            found.append(finding)
        elif package is not None:
            children = f"{name}[{extras}]" if extras else name
            waiting += [(child, children, extras) for child in package.requires]
    if not any(finding.level == "fail" for finding in found):
        found.insert(0, Finding("ok", f"{count} packages, {len(found)} of them not checked"))
    return found


def check_sources(
    requirements: Iterable[str], installed: Callable[[str], Installed | None], sources: frozenset[str]
) -> list[Finding]:
    """Whether pywrangler looks for each requirement where it was found here.

    Args:
        requirements: those of the project itself.
        sources: the packages that `tool.uv.sources` of the project names.
    """
    found: list[Finding] = []
    for text in requirements:
        match = _NAME.match(text)
        if match is None or "@" in text:
            continue
        package = installed(normalise(match[1]))
        if package is not None and package.url is not None and normalise(match[1]) not in sources:
            found.append(
                Finding(
                    "warn",
                    f"{match[1]}: installed here from {package.url}, but pywrangler will look for it on PyPI. Name its"
                    " place in pyproject.toml, under [tool.uv.sources]",
                )
            )
    return found


def normalise(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_requirement(text: str, extra: str) -> tuple[str | None, str, bool | None]:
    """The name, the extras asked for, and whether it is needed; None when that depends on a condition."""
    match = _NAME.match(text)
    if match is None:
        return None, "", False
    extras = ",".join(part.strip() for part in (match[2] or "").split(",") if part.strip())
    _, _, marker = text.partition(";")
    condition = _EXTRA_MARKER.fullmatch(marker)
    is_needed: bool | None = True
    if condition is not None:
        is_needed = condition[1] in extra.split(",")
    elif marker.strip():
        is_needed = None
    return normalise(match[1]), extras, is_needed


def _check_package(name: str, shown: str, package: Installed | None, allowed: frozenset[str]) -> Finding | None:
    if (
        name in allowed
        or name in PURE_ELSEWHERE
        or (name in PYODIDE_PACKAGES and (package is None or not package.is_pure))
    ):
        return None
    if package is None:
        return Finding("warn", f"{shown}: not checked, as it is not installed here")
    if package.is_pure is None:
        return Finding("warn", f"{shown}: not checked, as its metadata does not say whether it is pure Python")
    if package.is_pure:
        return None
    return Finding(
        "fail",
        f"{shown}: is compiled for this machine and not in the Pyodide distribution, so it has no wheel for Workers."
        f" Remove it from the dependencies in pyproject.toml; if PyPI has a pure or a Pyodide wheel of it,"
        f" pass --allow {name}",
    )


def check_sizes(sizes: Sizes) -> list[Finding]:
    """What is uploaded, beside the platform's limits for compressed code."""
    total = sizes.own + (sizes.library if sizes.modules is None else sizes.modules)
    what = f"{_kib(total)} compressed: {_kib(sizes.own)} of the project, {_kib(sizes.library)} of agents_runtime"
    if sizes.modules is None:
        what += "; other packages are not counted before the first deploy has written python_modules"
    else:
        what += f", {_kib(max(0, sizes.modules - sizes.library))} of other packages"
    if total > PAID_LIMIT_BYTES:
        return [Finding("fail", f"the upload is {what}. The limit is 10 MB: remove packages, or exclude their files")]
    if total > FREE_LIMIT_BYTES:
        return [Finding("warn", f"the upload is {what}. More than 3 MB needs a paid plan")]
    return [Finding("ok", f"the upload is {what}")]


def _kib(size_bytes: int) -> str:
    return f"{-(-size_bytes // 1024):,} KiB"


def check_project_files(names: Mapping[str, bool]) -> list[Finding]:
    """The files of the project's folder, by name, and whether they exist."""
    found: list[Finding] = []
    configs = [name for name in FILE_NAMES if names.get(name)]
    if len(configs) > 1:
        found.append(
            Finding("fail", f"{' and '.join(configs)}: pywrangler and wrangler would not read the same one. Keep one")
        )
    if not names.get("pyproject.toml"):
        found.append(
            Finding("fail", "pyproject.toml is missing. pywrangler reads the dependencies of the Worker from it")
        )
    if names.get("requirements.txt"):
        found.append(
            Finding("fail", "pywrangler refuses a requirements.txt. Move its lines to dependencies in pyproject.toml")
        )
    return found


def is_excluded(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path below `python_modules`, with forward slashes, matches one of the patterns."""
    return any(_pattern(pattern).fullmatch(path) for pattern in patterns)


def _pattern(glob: str) -> re.Pattern[str]:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))
