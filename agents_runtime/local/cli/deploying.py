"""`agents-runtime deploy`: checks, and when they pass, pywrangler."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import FILE_NAMES, Config, read_config
from agents_runtime.local.deploy_checks import (
    Finding,
    check_config,
    check_packages,
    check_project_files,
    check_sizes,
    check_sources,
    check_tools,
    normalise,
)
from agents_runtime.local.deploy_facts import (
    find_installed,
    find_tools,
    measure,
    read_dependencies,
    read_sources,
    search_path,
)
from agents_runtime.local.project import UserCodeError, load_project

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def deploy_project(where: Path, *, dry_run: bool, allowed: Sequence[str], arguments: Sequence[str]) -> int:
    """Check a project and deploy it. Returns the exit code: pywrangler's, or 1 when a check fails.

    Raises:
        ConfigError: the project file cannot be read or cannot work.
    """
    config = read_config(where)
    findings = gather(config, allowed)
    for finding in findings:
        click.echo(f"  {click.style(f'{finding.level:4}', fg=COLOURS[finding.level])}  {finding.text}")
    failed = sum(finding.level == "fail" for finding in findings)
    if failed:
        click.echo(f"\nNothing was deployed: {failed} of the checks failed.", err=True)
        return 1
    path = search_path()
    command = [shutil.which("pywrangler", path=path) or "pywrangler", "deploy"]
    command += ["--dry-run"] if dry_run else []
    command += arguments
    click.echo(f"\npywrangler {' '.join(command[1:])}    (the first time it downloads Python for Workers)")
    return subprocess.run(command, cwd=config.root, env={**os.environ, "PATH": path}, check=False).returncode


def gather(config: Config, allowed: Sequence[str]) -> list[Finding]:
    """Everything that is known about a deploy before it is tried. Imports the project's main module.

    Raises:
        ConfigError: the pyproject.toml cannot be read, or a bound class is not in the main module.
    """
    root = config.root
    requirements = read_dependencies(root)
    files = {name: (root / name).is_file() for name in (*FILE_NAMES, "pyproject.toml", "requirements.txt")}
    return [
        *check_tools(find_tools(root)),
        *check_config(config),
        *_check_classes(config),
        *check_project_files(files),
        *check_packages(requirements, find_installed, frozenset(map(normalise, allowed))),
        *check_sources(requirements, find_installed, read_sources(root)),
        *check_sizes(measure(config)),
    ]


def _check_classes(config: Config) -> list[Finding]:
    try:
        notes = load_project(config.file).notes
    except UserCodeError as exc:
        last = exc.trace.strip().rpartition("\n")[2]
        return [Finding("warn", f"the main module cannot be imported here, so its classes were not checked: {last}")]
    except ConfigError as exc:
        return [Finding("fail", str(exc))]
    return [Finding("warn", note) for note in notes if note not in config.notes]
