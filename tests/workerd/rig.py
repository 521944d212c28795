"""A project of the user on the real runtime: real workerd, real Pyodide, the unmodified SDK, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agents_runtime.local.config import Config, read_config
from agents_runtime.local.project import storage_keys
from tests.workerd.capnp import (
    HEAD,
    Module,
    binding_list,
    interpreter,
    module_list,
    namespace_list,
    quoted,
    send_email_bindings,
)
from tests.workerd.engine import engine_of, engine_service, workflow_bindings
from tests.workerd.process import Process
from tests.workerd.tools import HERE, ROOT, Tools

LEFT_OUT = frozenset({"__pycache__", "bin", "node_modules"})
LAPTOP_ONLY = frozenset({"local", "testing"})
"""Folders of our own package that a deploy leaves out."""

MAIN = """import {{ start, Control, SendEmail }} from "classes.mjs";
import index from "files.json";
import blob from "files.bin";
const make = start({{ index, blob, mainModule: {main}, doAnImport: async (name) => await import(name) }});
{classes}
export {{ Control, SendEmail }};
export default make("Default", "entrypoint");
"""

CONFIG = """const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = {storage}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"])),
{services}
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:{port}", http = (), service = "main"),
    (name = "control", address = "127.0.0.1:0", http = (), service = (name = "main", entrypoint = "Control")),
  ],
  logging = (structuredLogging = true),
);
const worker :Workerd.Worker = (
  modules = [
{modules}
  ],
  compatibilityDate = {date},
  compatibilityFlags = [{flags}],
  bindings = [
{bindings}
  ],
  durableObjectNamespaces = [
{namespaces}
  ],
  durableObjectStorage = (localDisk = "disk"),
{engine}
);
"""


class RemoteError(Exception):
    """What a call into an object raised, as its caller in another worker sees it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class Rig:
    """A project folder in workerd. Its data and its port stay the same when it is started again.

    Args:
        tools: what `find_tools` gave.
        project: the folder with `wrangler.toml`.
        folder: where configuration, log and data go.
        modules: further folders whose files are importable, by the name they are imported under.
    """

    def __init__(self, tools: Tools, project: Path, folder: Path, modules: Mapping[str, Path] | None = None) -> None:
        self.tools = tools
        self.folder = folder
        self.config = read_config(project)
        self.port = 0
        self._modules = dict(modules or {})
        self._log = folder / "workerd.log"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process is not None, "workerd is not running"
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self) -> Path:
        """The folder with the objects' databases."""
        return self.folder / "storage"

    def start(self) -> Rig:
        """Start it and return when the Python main module has been imported."""
        self._write()
        self._process = Process(
            self.tools.workerd, self.folder / "config.capnp", self._log, sockets=("http", "control")
        )
        self.port = self._process.ports["http"]
        self.control("ready")
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def restart(self) -> None:
        """Start it again on the same storage."""
        self.stop()
        self.start()

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def control(self, what: str, **given: Any) -> Any:
        """Ask the second socket, which only tests have."""
        status, body = self.process.request(self.process.ports["control"], f"/{what}", given)
        assert status == 200, f"{what}: {status} {body[:500]!r}\n{self.process.output()}"
        answer = json.loads(body)
        if "error" in answer:
            raise RemoteError(answer["error"]["name"], answer["error"]["message"])
        return answer.get("value")

    def call(self, binding: str, name: str, method: str, *args: Any) -> Any:
        """Call a method of an object over RPC, with values that JSON has."""
        return self.control("call", binding=binding, name=name, method=method, args=args)

    def evict(self, binding: str, name: str) -> None:
        """Make the runtime drop an object from memory; hibernatable WebSockets stay open."""
        self.control("evict", binding=binding, name=name)

    def log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def console(self, since: int = 0) -> list[tuple[str, str]]:
        """What was written to the console after the first `since` bytes of the log: level and text."""
        lines = self._log.read_bytes()[since:].decode(errors="replace").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith('{"')]
        return [(entry["level"], entry["message"]) for entry in entries]

    def _write(self) -> None:
        config, folder = self.config, self.folder
        assert config.main is not None
        self.storage.mkdir(parents=True, exist_ok=True)
        index, blob = pack(
            [
                (config.main.parent, "", LEFT_OUT),
                (self.tools.site, "python_modules/", LEFT_OUT),
                (ROOT / "agents_runtime", "python_modules/agents_runtime/", LEFT_OUT | LAPTOP_ONLY),
                *((path, f"{name}/", LEFT_OUT) for name, path in self._modules.items()),
            ]
        )
        (folder / "files.json").write_text(json.dumps(index))
        (folder / "files.bin").write_bytes(blob)
        classes = {binding.class_name for binding in config.bindings}
        lines = "\n".join(f'export const {name} = make({quoted(name)}, "object");' for name in sorted(classes))
        lines += "".join(
            f'\nexport const {name} = make({quoted(name)}, "workflow");'
            for name in sorted({workflow.class_name for workflow in config.workflows})
        )
        (folder / "main.mjs").write_text(MAIN.format(main=quoted(config.main.stem), classes=lines))
        (folder / "config.capnp").write_text(HEAD + self._capnp(config, classes))

    def _capnp(self, config: Config, classes: Iterable[str]) -> str:
        keys = storage_keys(config.migrations)
        flags = ["unsafe_module", *(flag for flag in config.compatibility_flags if not flag.startswith("python"))]
        return CONFIG.format(
            storage=quoted(self.storage.resolve()),
            port=self.port,
            modules=module_list(self._all_modules(), self.folder),
            date=quoted(config.compatibility_date),
            flags=", ".join(map(quoted, flags)),
            bindings=binding_list({binding.name: binding.class_name for binding in config.bindings}, config.vars)
            + workflow_bindings(config.workflows)
            + send_email_bindings(binding.name for binding in config.send_email),
            services=engine_service(config.workflows),
            engine=engine_of(config.workflows),
            namespaces=namespace_list({name: f"{config.name}-{keys[name]}" for name in sorted(classes)}),
        )

    def _all_modules(self) -> list[Module]:
        folder = self.folder
        sdk = sorted(self.tools.site.glob("workers/*.js"))  # which the SDK imports by these names
        return [
            ("main.mjs", "esModule", folder / "main.mjs"),
            ("classes.mjs", "esModule", HERE / "runtime/classes.mjs"),
            ("mail.mjs", "esModule", HERE / "runtime/mail.mjs"),
            ("border.py", "text", HERE / "runtime/border.py"),
            ("files.json", "text", folder / "files.json"),
            ("files.bin", "data", folder / "files.bin"),
            *interpreter(self.tools),
            *((f"python_modules/workers/{path.name}", "esModule", path) for path in sdk),
        ]


def pack(roots: Iterable[tuple[Path, str, frozenset[str]]]) -> tuple[list[tuple[str, int, int]], bytes]:
    """All files below some folders, except in folders of certain names, as one index and one blob."""
    index: list[tuple[str, int, int]] = []
    blob = bytearray()
    for root, prefix, left_out in roots:
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and path.suffix != ".pyc" and not left_out & set(inside.parts[:-1]):
                data = path.read_bytes()
                index.append((prefix + inside.as_posix(), len(blob), len(data)))
                blob += data
    return index, bytes(blob)
