"""Makes the interpreter's snapshot: start it once without user code and save its memory."""

from __future__ import annotations

from pathlib import Path

from tests.workerd.capnp import HEAD, interpreter, module_list
from tests.workerd.process import Process
from tests.workerd.tools import Tools

MAIN = """import { image } from "boot.mjs";
export default { fetch() { return new Response(image); } };
"""
CONFIG = """const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [
{modules}
  ], compatibilityDate = "2026-10-01", compatibilityFlags = ["unsafe_module"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
"""


def make_snapshot(tools: Tools, preimport: str, folder: Path) -> Path:
    """Write the snapshot into `folder`. Returns its path."""
    (folder / "main.mjs").write_text(MAIN)
    (folder / "preimport.py").write_text(preimport)
    modules = [
        ("main.mjs", "esModule", folder / "main.mjs"),
        ("preimport.py", "text", folder / "preimport.py"),
        *interpreter(tools),
    ]
    (folder / "config.capnp").write_text(HEAD + CONFIG.format(modules=module_list(modules, folder)))
    process = Process(tools.workerd, folder / "config.capnp", folder / "workerd.log")
    try:
        status, image = process.request(process.ports["http"], "/")
        assert status == 200, process.output()
        target = folder / "snapshot.bin"
        target.write_bytes(image)
        return target
    finally:
        process.kill()
