"""A worker written with npm `agents`, on the real runtime: the other side of interchange."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.workerd.capnp import HEAD, binding_list, namespace_list, quoted
from tests.workerd.process import Process
from tests.workerd.tools import ROOT, Missing, Tools, run

PACKAGES = ROOT / "tests" / "wire" / "record"
"""Where npm `agents` and what it needs are locked and installed."""

BUNDLE = (
    "--bundle", "--format=esm", "--platform=browser", "--main-fields=module,main", "--keep-names", "--target=es2022",
    "--conditions=workerd,worker,browser,import", "--external:cloudflare:*", "--external:node:*",
    "--alias:path=node:path", f"--alias:cloudflare:email={PACKAGES / 'email-stub.js'}", "--log-level=warning",
)  # fmt: skip

CONFIG = """const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = {storage}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);
const worker :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "bundle.js") ],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
{bindings}
  ],
  durableObjectNamespaces = [
{namespaces}
  ],
);
"""


def bundle(source: Path, target: Path) -> None:
    """Make one module of a worker and npm `agents`. Raises Missing when npm cannot be reached."""
    if not shutil.which("npm"):
        raise Missing("npm, which fetches the JavaScript SDK, is not installed")
    if not (PACKAGES / "node_modules" / ".package-lock.json").exists():
        run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            "the npm registry",
            PACKAGES,
        )
    command = [str(PACKAGES / "node_modules/.bin/esbuild"), str(source), f"--outfile={target}", *BUNDLE]
    environment = {**os.environ, "NODE_PATH": str(PACKAGES / "node_modules")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def start(tools: Tools, source: Path, folder: Path, storage: Path, classes: dict[str, str]) -> Process:
    """Run a worker on a storage folder. `classes` are its Durable Object classes with their storage keys."""
    folder.mkdir(parents=True, exist_ok=True)
    storage.mkdir(parents=True, exist_ok=True)
    if not (folder / "bundle.js").exists():
        bundle(source, folder / "bundle.js")
    config = folder / "config.capnp"
    config.write_text(
        HEAD
        + CONFIG.format(
            storage=quoted(storage.resolve()),
            bindings=binding_list({name: name for name in classes}, {}),
            namespaces=namespace_list(classes),
        )
    )
    return Process(tools.workerd, config, folder / "workerd.log")
