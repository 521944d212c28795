"""A project: its configuration, its imported main module, and the classes in it that the host runs."""

from __future__ import annotations

import difflib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents_runtime._platform.base import DurableObject
from agents_runtime.errors import ConfigError
from agents_runtime.local.config import Config, Migration, read_config
from agents_runtime.local.modules import ProjectModules

if TYPE_CHECKING:
    from types import ModuleType

    from agents_runtime.local.assets import Assets
    from agents_runtime.local.host import Host
    from agents_runtime.local.workflows.instance import Served

Entrypoint = type | Callable[..., Any]
"""A `WorkerEntrypoint` class, or an `on_fetch` function."""

_EXAMPLE = """

    from workers import Response, WorkerEntrypoint

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return Response("Hello")
"""


class UserCodeError(ConfigError):
    """Raised when importing the project's main module fails. The cause is what it raised.

    Attributes:
        trace: the traceback as text, without the frames of the import machinery.
    """

    code = "user_code_error"

    def __init__(self, file: Path, trace: str, hint: str) -> None:
        self.trace = trace
        super().__init__(file, None, f"cannot be imported{hint}\n\n{trace.rstrip()}\n")


@dataclass(frozen=True)
class Project:
    """A loaded project, ready to be bound to a host.

    Attributes:
        classes: the Durable Object classes by the name their bindings use.
        workflows: the workflows by the name of their binding.
        notes: `config.notes`, and what was noticed while loading.
    """

    config: Config
    module: ModuleType | None
    classes: Mapping[str, type]
    entrypoint: Entrypoint | None
    notes: tuple[str, ...]
    workflows: Mapping[str, Served] = field(default_factory=dict["str", "Served"])

    def bind(self, host: Host) -> Assets | None:
        """Put the classes, variables and the entrypoint into `host`. Returns the files to serve beside it."""
        keys = storage_keys(self.config.migrations)
        if self.module is not None:
            host.export(self.module)
        for binding in self.config.bindings:
            cls = self.classes[binding.class_name]
            host.bind(cls, binding.name, key=keys[binding.class_name])
        for name, served in self.workflows.items():
            from agents_runtime.local.workflows.binding import bind_workflow

            bind_workflow(host, served, name)
        for name, value in self.config.vars.items():
            host.env.define(name, value)
        assets = open_assets(self.config)
        if assets is not None and self.config.assets is not None and self.config.assets.binding:
            host.env.define(self.config.assets.binding, assets)
        host.set_entrypoint(self.entrypoint)
        host.mail.set_up(self.config.send_email, getattr(self.module, "on_email", None))
        return assets


class ProjectLoader:
    """Loads the project of one folder, again and again."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._modules: ProjectModules | None = None
        self._folder: Path | None = None

    def load(self) -> Project:
        """Read the configuration and import the main module afresh.

        On failure the modules of the last success stay in place.

        Raises:
            ConfigError: the configuration, the module or the classes in it cannot work.
        """
        config = read_config(self._where)
        if config.main is None:
            return Project(config, None, {}, None, config.notes)
        from agents_runtime.local.shim import install

        install()
        module = self._import(config.main)
        classes = {binding.class_name: _find_class(config, module, binding.class_name) for binding in config.bindings}
        entrypoint = _find_entrypoint(config, module)
        notes = config.notes + _unbound(config, module, classes)
        return Project(config, module, classes, entrypoint, notes, _workflows_of(config, module))

    def _import(self, main: Path) -> ModuleType:
        name = main.stem
        if not name.isidentifier() or name in sys.stdlib_module_names or name in ("workers", "agents_runtime"):
            raise ConfigError(main, None, f'"{name}" is the name of another module. Rename the file, as in "entry.py"')
        if self._modules is None or self._folder != main.parent:
            if self._modules is not None:
                self._modules.remove()
            self._modules, self._folder = ProjectModules(main.parent), main.parent
        try:
            return self._modules.import_main(main)
        except KeyboardInterrupt:
            raise
        except BaseException as exc:
            raise UserCodeError(main, user_traceback(exc, main.parent), _hint(exc)) from exc


def load_project(where: Path) -> Project:
    """Load the project of a folder, or the one whose project file is given.

    Raises:
        ConfigError: the configuration, the main module or the classes in it cannot work.
    """
    return ProjectLoader(where).load()


def storage_keys(migrations: tuple[Migration, ...]) -> dict[str, str]:
    """The key under which the objects of each class are stored.

    A renamed class keeps the key of its first name, so its objects keep their ids and data. A class created again
    after its name went away gets a key of its own.
    """
    keys: dict[str, str] = {}
    used: set[str] = set()
    for step in migrations:
        for name in step.created:
            keys[name] = name if name not in used else f"{name}@{step.tag}"
            used.add(keys[name])
        for old, new in step.renamed:
            keys[new] = keys.pop(old)
        for name in step.deleted:
            del keys[name]
    return keys


def open_assets(config: Config) -> Assets | None:
    """The project's static files, or None."""
    if config.assets is None:
        return None
    from agents_runtime.local.assets import Assets

    first = config.assets.run_worker_first
    return Assets(
        config.assets.directory,
        not_found_handling=config.assets.not_found_handling,
        html_handling=config.assets.html_handling,
        run_worker_first=first if isinstance(first, bool) else list(first),
    )


def user_traceback(error: BaseException, folder: Path) -> str:
    """A traceback that starts at the first frame inside `folder`."""
    report = traceback.TracebackException.from_exception(error)
    inside = str(folder)
    first = next((i for i, frame in enumerate(report.stack) if frame.filename.startswith(inside)), None)
    if isinstance(error, SyntaxError) and first is None:
        return "".join(report.format_exception_only())
    if first is not None:
        report.stack = traceback.StackSummary.from_list(
            [frame for frame in report.stack[first:] if not frame.filename.startswith("<frozen importlib")]
        )
    return "".join(report.format())


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package in ("js", "pyodide", "pyodide_js"):
            return f": the module {package!r} exists only inside Workers; use the `workers` module or ports instead"
        return f": no module {error.name!r}. If it is a package: pip install it and list it in pyproject.toml"
    return " (SystemExit: a module must not exit)" if isinstance(error, SystemExit) else ""


def _is_user_class(value: object, base: type) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__.partition(".")[0] not in ("agents_runtime", "workers")
    )


def _find_class(config: Config, module: ModuleType, name: str) -> type:
    index = next(i for i, binding in enumerate(config.bindings) if binding.class_name == name)
    key = f"durable_objects.bindings[{index}].class_name"
    found = getattr(module, name, None)
    main = module.__name__ + ".py"
    if found is None:
        there = [other for other, value in vars(module).items() if _is_user_class(value, DurableObject)]
        near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
        listed = f"It has: {', '.join(there)}" if there else "It has no Agent or DurableObject class"
        guess = f' (did you mean "{near[0]}"?)' if near else ""
        raise ConfigError(
            config.file, key, f'no class "{name}" in {main}{guess}. {listed}. Define it there or import it there'
        )
    if not inspect.isclass(found) or not issubclass(found, DurableObject):
        raise ConfigError(
            config.file, key, f'"{name}" in {main} is not an Agent or DurableObject class. Write: class {name}(Agent)'
        )
    return found


def _workflows_of(config: Config, module: ModuleType) -> Mapping[str, Served]:
    if not config.workflows:
        return {}
    from agents_runtime.local.workflows.loading import find_workflows

    return find_workflows(config, module)


def _find_entrypoint(config: Config, module: ModuleType) -> Entrypoint | None:
    from agents_runtime.local.shim import WorkerEntrypoint

    main = config.main or config.file
    default = getattr(module, "Default", None)
    if default is not None:
        if inspect.isclass(default) and issubclass(default, WorkerEntrypoint):
            return default
        raise ConfigError(main, "Default", "must be a class: class Default(WorkerEntrypoint)")
    handler = getattr(module, "on_fetch", None)
    if handler is not None:
        if callable(handler):
            entrypoint: Entrypoint = handler
            return entrypoint
        raise ConfigError(main, "on_fetch", "must be a function: async def on_fetch(request, env, ctx)")
    others = [name for name, value in vars(module).items() if _is_user_class(value, WorkerEntrypoint)]
    if others:
        raise ConfigError(main, others[0], "the entrypoint must be named Default: class Default(WorkerEntrypoint)")
    if config.assets is not None:
        return None
    raise ConfigError(main, None, f"nothing answers requests. Add an entrypoint:{_EXAMPLE}")


def _unbound(config: Config, module: ModuleType, classes: Mapping[str, type]) -> tuple[str, ...]:
    bound = set(classes.values())
    return tuple(
        f"{module.__name__}.py: {name} has no binding, so it can only be a sub-agent; to reach it otherwise add it to"
        f" durable_objects.bindings in {config.file.name}"
        for name, value in vars(module).items()
        if _is_user_class(value, DurableObject) and value not in bound and value.__module__ == module.__name__
    )
