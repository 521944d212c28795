"""What the tests on the real runtime need on disk: workerd, the interpreter, wheels for it, a snapshot. Made once."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE_MODULES = HERE / "node_modules"
CACHE = ROOT / ".tools" / "workerd"
INSTALL_S = 300
NO_NETWORK = (
    "ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ECONNRESET", "network",
    "Failed to establish a new connection", "Temporary failure in name resolution",
)  # fmt: skip
"""What npm and pip say when they cannot reach their registry."""
WHEEL_PLATFORM = ("--platform", "pyemscripten_2026_0_wasm32", "--python-version", "314", "--implementation", "cp")
WHEEL_ABI = ("--abi", "cp314", "--abi", "none")
PREIMPORT = """
import asyncio, base64, contextlib, copy, dataclasses, datetime, decimal, email.message, enum
import functools, hashlib, http.client, inspect, json, logging, random, re, secrets, typing
import urllib.parse, uuid, weakref, zoneinfo
"""


class Missing(Exception):
    """Raised when something cannot be installed because its registry cannot be reached."""


@dataclass(frozen=True)
class Tools:
    """Where everything is.

    Attributes:
        workerd: the executable.
        pyodide: the folder of the npm package.
        site: what a deploy has as `python_modules`, without our own package.
        snapshot: an interpreter's memory after start; None while it is being made.
    """

    workerd: Path
    pyodide: Path
    site: Path
    snapshot: Path | None


def find_tools() -> Tools:
    """Install what is missing.

    Raises:
        Missing: a registry cannot be reached.
    """
    install_packages()
    binaries = sorted(NODE_MODULES.glob("@cloudflare/workerd-*/bin/workerd*"))
    if not binaries:
        raise Missing(f"npm has no workerd for {sys.platform}")
    tools = Tools(binaries[0], NODE_MODULES / "pyodide", install_wheels(), None)
    from tests.workerd.snapshot import make_snapshot

    versions = "-".join(json.loads((NODE_MODULES / name / "package.json").read_text())["version"] for name in PACKAGES)
    parts = (PREIMPORT, (HERE / "runtime/boot.mjs").read_text())
    snapshot = CACHE / f"snapshot-{versions}-{digest(*parts)}.bin"
    if not snapshot.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            make_snapshot(tools, PREIMPORT, Path(folder)).replace(snapshot)
    return Tools(tools.workerd, tools.pyodide, tools.site, snapshot)


PACKAGES = ("pyodide", "workerd")


def digest(*parts: str) -> str:
    """A short name for what something was made from."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def install_packages() -> None:
    """Install the locked Node packages of this folder."""
    if (NODE_MODULES / ".package-lock.json").exists():
        return
    if not shutil.which("npm"):
        raise Missing("npm, which fetches workerd, is not installed")
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], "the npm registry")


def install_wheels() -> Path:
    """Unpack the pinned wheels, built for the interpreter in workerd, into a folder of the cache."""
    wheels = HERE / "wheels.txt"
    site = CACHE / f"site-{digest(wheels.read_text())}"
    if not site.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            target = Path(folder) / "site"
            command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target"]
            command += [str(target), "--only-binary", ":all:", *WHEEL_PLATFORM, *WHEEL_ABI, "-r", str(wheels)]
            run(command, "the package index")
            target.replace(site)
    return site


def run(command: list[str], source: str, folder: Path = HERE) -> None:
    """Run an installer. Raises Missing when what it needs cannot be reached."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode == 0:
        return
    if any(sign in done.stderr for sign in NO_NETWORK):
        raise Missing(f"{source} cannot be reached")
    raise AssertionError(f"{' '.join(command)} failed:\n{done.stderr}")
