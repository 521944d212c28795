"""Runs the programs of the Python peers: each in a process and a folder of its own, in the bench's own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from bench.jobs import Each
from bench.load import LoadError

PROGRAMS = Path(__file__).resolve().parent / "peers"
LIMIT_S = 300


def version_of(package: str) -> str:
    """The pinned version of a peer."""
    pins = (line.split("==") for line in (PROGRAMS / "requirements.txt").read_text().splitlines() if "==" in line)
    return {name.lower(): version for name, version in pins}[package.lower()]


def run(lab: Path, program: str, *arguments: int) -> dict[str, Each]:
    """One run of a program on an empty folder: what each operation cost, by the name of the load.

    Raises:
        LoadError: it failed.
    """
    folder = lab / "peer-data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    python = lab / "peers/bin/python"
    command = [str(python), str(PROGRAMS / f"{program}_peer.py"), str(folder), *map(str, arguments)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=environment, cwd=folder
    )
    if result.returncode or not result.stdout.strip():
        raise LoadError(f"{program}: {result.stderr.strip()[-300:]}")
    return {name: Each(**costs) for name, costs in json.loads(result.stdout.splitlines()[-1]).items()}
