"""The user's project file: `wrangler.toml` or `wrangler.jsonc`, read as wrangler would read it.

`read_config` finds the file of a folder and turns it into a frozen `Config`. Whatever would stop the local host
or a deploy is a `ConfigError` that names the file, the key, what was found and what to write; what is merely
unknown or has no local counterpart becomes one of `Config.notes`. Nothing here imports the user's code.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agents_runtime.errors import ConfigError
from agents_runtime.local.config_checks import Table, check_keys, closest
from agents_runtime.local.config_mail import SendEmailBinding, read_send_email
from agents_runtime.local.config_workflows import WorkflowBinding, read_workflows
from agents_runtime.local.dotenv import read_dotenv
from agents_runtime.local.jsonc import parse_jsonc

FILE_NAMES = ("wrangler.toml", "wrangler.jsonc", "wrangler.json")
NOT_FOUND_HANDLING = ("none", "404-page", "single-page-application")
HTML_HANDLING = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")


@dataclass(frozen=True, slots=True)
class Binding:
    """A Durable Object class under the name that `env` knows it by."""

    name: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the classes' history. Applied once, in order of the file."""

    tag: str
    created: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    deleted: tuple[str, ...] = ()
    created_without_sql: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetsConfig:
    """Files served beside the worker."""

    directory: Path
    binding: str | None = None
    run_worker_first: bool | tuple[str, ...] = False
    not_found_handling: str = "none"
    html_handling: str = "auto-trailing-slash"


@dataclass(frozen=True, slots=True)
class Config:
    """What a project file says, checked. Paths are absolute.

    Attributes:
        file: the file that was read.
        main: the module with the entrypoint and the classes; None for a project of assets alone.
        vars: `vars` of the file, overridden by `.dev.vars` or else `.env`.
        secret_names: the names in `vars` that came from `.dev.vars` or `.env`; never print their values.
        notes: sentences for the user: unknown keys, and what the local host leaves out.
        bundle_excludes: the patterns of files below `python_modules` that a deploy leaves out.
    """

    file: Path
    name: str
    main: Path | None
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    bindings: tuple[Binding, ...]
    migrations: tuple[Migration, ...]
    vars: Mapping[str, object]
    secret_names: frozenset[str]
    assets: AssetsConfig | None
    notes: tuple[str, ...]
    bundle_excludes: tuple[str, ...] = ("**/*.pyc",)
    workflows: tuple[WorkflowBinding, ...] = ()
    send_email: tuple[SendEmailBinding, ...] = ()

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.file.parent


def read_config(where: Path) -> Config:
    """Read the project file of a folder, or the given file itself.

    Raises:
        ConfigError: there is none, it cannot be read, or it says something that cannot work.
    """
    notes: list[str] = []
    file = find_config(where.absolute(), notes)
    root = Table(file, "", _parse(file))
    check_keys(root, notes)
    bindings = _read_bindings(root)
    workflows, send_email = read_workflows(root), read_send_email(root)
    migrations = _read_migrations(root, notes)
    _check_migrated(file, bindings, migrations)
    variables, secret_names = _read_vars(root, notes)
    assets = _read_assets(root)
    main = _read_main(root)
    if main is None and assets is None:
        raise ConfigError(
            file, "main", 'missing. Write the path of the Python module to run, as in main = "src/entry.py"'
        )
    if main is None and (bindings or workflows):
        needs = "durable_objects.bindings" if bindings else "workflows"
        raise ConfigError(file, "main", f'missing, but {needs} needs it. Write main = "src/entry.py"')
    _check_names(file, bindings, (*workflows, *send_email), variables, assets)
    flags = root.texts("compatibility_flags")
    if main is not None and "python_workers" not in flags:
        notes.append(
            f'{file.name}: compatibility_flags lacks "python_workers"; a deploy would refuse the Python module'
        )
    return Config(
        file=file,
        name=root.text("name", default=file.parent.name),
        main=main,
        compatibility_date=_read_date(root, notes),
        compatibility_flags=flags,
        bindings=bindings,
        migrations=migrations,
        vars=variables,
        secret_names=secret_names,
        assets=assets,
        notes=tuple(notes),
        bundle_excludes=_read_excludes(root),
        workflows=workflows,
        send_email=send_email,
    )


def find_config(where: Path, notes: list[str] | None = None) -> Path:
    """The project file of a folder, or `where` itself when it is a file.

    Raises:
        ConfigError: there is none.
    """
    if where.is_file():
        if where.suffix not in (".toml", ".json", ".jsonc"):
            raise ConfigError(where, None, "not a project file. Name a wrangler.toml or wrangler.jsonc")
        return where
    found = [where / name for name in FILE_NAMES if (where / name).is_file()]
    if not found:
        if not where.exists():
            raise ConfigError(where, None, "no such file or folder. Give the path of a wrangler.toml or wrangler.jsonc")
        raise ConfigError(
            where,
            None,
            "this folder has no wrangler.toml or wrangler.jsonc. Run in a project's folder, point to one with --config,"
            " or start a project with: agents-runtime new NAME",
        )
    if len(found) > 1 and notes is not None:
        others = " and ".join(path.name for path in found[1:])
        notes.append(f"{found[0].name} is read and {others} is not; keep one of them, as wrangler may read the other")
    return found[0]


def _parse(file: Path) -> dict[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(file, None, f"not UTF-8 text (byte {exc.start}). Save the file as UTF-8") from exc
    except OSError as exc:
        raise ConfigError(file, None, f"cannot be read: {exc.strerror}") from exc
    try:
        data: object = tomllib.loads(text) if file.suffix == ".toml" else parse_jsonc(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(file, None, f"not valid TOML: {exc}") from exc
    except json.JSONDecodeError as exc:
        raise ConfigError(file, None, f"not valid JSON: {exc.msg} (at line {exc.lineno}, column {exc.colno})") from exc
    if not isinstance(data, dict):
        raise ConfigError(file, None, "the file must hold one object: { ... }")
    return cast("dict[str, object]", data)


def _read_main(root: Table) -> Path | None:
    if not root.has("main"):
        return None
    text = root.text("main")
    path = root.file.parent / text
    if path.suffix != ".py":
        raise root.error("main", f'"{text}" is not a Python file. Write the path of a .py module, as in "src/entry.py"')
    if not path.is_file():
        raise root.error("main", f'no file "{text}" in {root.file.parent}{_suggest_module(root.file.parent, path)}')
    return path.resolve()


def _suggest_module(folder: Path, missing: Path) -> str:
    places = [folder, folder / "src", missing.parent]
    modules = sorted({path for place in places if place.is_dir() for path in place.glob("*.py")})
    near = difflib.get_close_matches(missing.name, [path.name for path in modules], n=1, cutoff=0.6)
    match = next((path for path in modules if path.name in (*near, "entry.py", "main.py")), None)
    return f'. Did you mean "{match.relative_to(folder).as_posix()}"?' if match else ""


def _read_date(root: Table, notes: list[str]) -> str:
    date = root.get("compatibility_date")
    if date is None:
        notes.append(f'{root.file.name}: no compatibility_date; a deploy needs one, as in "2026-11-01"')
        return ""
    text = str(date)
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isdigit() for part in parts):
        raise root.error("compatibility_date", f'found "{text}". Write a date as "2026-11-01"')
    return text


def _read_excludes(root: Table) -> tuple[str, ...]:
    table = root.table("python_modules")
    return table.texts("exclude") if table.has("exclude") else ("**/*.pyc",)


def _read_bindings(root: Table) -> tuple[Binding, ...]:
    bindings: list[Binding] = []
    for entry in root.table("durable_objects").tables("bindings"):
        entry.only("name", "class_name", "script_name", "environment")
        for key in ("script_name", "environment"):
            if entry.has(key):
                raise entry.error(
                    key,
                    "a class of another Worker cannot be bound on the local host. Remove the key and have the class in"
                    " this project's main module",
                )
        binding = Binding(entry.identifier("name"), entry.identifier("class_name"))
        if any(other.name == binding.name for other in bindings):
            raise entry.error("name", f'"{binding.name}" is bound twice. Give each binding its own name')
        bindings.append(binding)
    return tuple(bindings)


def _read_migrations(root: Table, notes: list[str]) -> tuple[Migration, ...]:
    migrations: list[Migration] = []
    classes: set[str] = set()
    for entry in root.tables("migrations"):
        entry.only(
            "tag", "new_classes", "new_sqlite_classes", "renamed_classes", "deleted_classes", "transferred_classes"
        )
        if entry.has("transferred_classes"):
            raise entry.error("transferred_classes", "objects of another Worker cannot be moved here. Remove the key")
        migration = _read_migration(entry, classes, notes)
        if any(other.tag == migration.tag for other in migrations):
            raise entry.error("tag", f'"{migration.tag}" is used twice. Give each migration its own tag')
        migrations.append(migration)
    return tuple(migrations)


def _read_migration(entry: Table, classes: set[str], notes: list[str]) -> Migration:
    tag = entry.text("tag")
    without_sql = entry.texts("new_classes")
    if without_sql:
        notes.append(
            f"{entry.file.name}: {entry.path('new_classes')}: these classes have no SQLite storage once deployed, but"
            " an Agent needs it; write new_sqlite_classes"
        )
    created = entry.texts("new_sqlite_classes") + without_sql
    for name in created:
        if name in classes:
            raise entry.error("new_sqlite_classes", f'"{name}" was created before. Name each new class once')
        classes.add(name)
    renamed: list[tuple[str, str]] = []
    for rename in entry.tables("renamed_classes"):
        rename.only("from", "to")
        old, new = rename.identifier("from"), rename.identifier("to")
        _forget(rename, "from", old, classes)
        classes.add(new)
        renamed.append((old, new))
    deleted = entry.texts("deleted_classes")
    for name in deleted:
        _forget(entry, "deleted_classes", name, classes)
    return Migration(tag, created, tuple(renamed), deleted, without_sql)


def _forget(entry: Table, key: str, name: str, classes: set[str]) -> None:
    if name not in classes:
        raise entry.error(
            key, f'no class "{name}" at this step{closest(name, classes)}. Name a class that an earlier step created'
        )
    classes.remove(name)


def _check_migrated(file: Path, bindings: tuple[Binding, ...], migrations: tuple[Migration, ...]) -> None:
    classes: set[str] = set()
    for step in migrations:
        classes |= {*step.created, *(new for _, new in step.renamed)}
        classes -= {*step.deleted, *(old for old, _ in step.renamed)}
    for index, binding in enumerate(bindings):
        if binding.class_name not in classes:
            tag = f"v{len(migrations) + 1}"
            lines = (
                f'[[migrations]]\n    tag = "{tag}"\n    new_sqlite_classes = ["{binding.class_name}"]'
                if file.suffix == ".toml"
                else f'"migrations": [{{ "tag": "{tag}", "new_sqlite_classes": ["{binding.class_name}"] }}]'
            )
            raise ConfigError(
                file,
                f"durable_objects.bindings[{index}].class_name",
                f'"{binding.class_name}" is in no migration{closest(binding.class_name, classes)}, so a deploy would'
                f" refuse it. Add to the file:\n\n    {lines}\n",
            )


def _read_vars(root: Table, notes: list[str]) -> tuple[dict[str, object], frozenset[str]]:
    variables = dict(root.table("vars").values)
    folder = root.file.parent
    for name in (".dev.vars", ".env"):
        if (folder / name).is_file():
            secrets = read_dotenv(folder / name)
            if name == ".dev.vars" and (folder / ".env").is_file():
                notes.append(".dev.vars is read and .env is not")
            variables.update(secrets)
            return variables, frozenset(secrets)
    return variables, frozenset()


def _read_assets(root: Table) -> AssetsConfig | None:
    if not root.has("assets"):
        return None
    table = root.table("assets")
    table.only("directory", "binding", "run_worker_first", "not_found_handling", "html_handling")
    directory = (root.file.parent / table.text("directory")).resolve()
    if not directory.is_dir():
        raise table.error(
            "directory", f'no folder "{table.text("directory")}" in {root.file.parent}. Create it or remove "assets"'
        )
    first = table.get("run_worker_first")
    if first is not None and not isinstance(first, bool):
        first = table.texts("run_worker_first")
        for pattern in first:
            if not pattern.startswith(("/", "!/")):
                raise table.error(
                    "run_worker_first", f'"{pattern}" is no path pattern. Write it as "/agents/*" or "!/agents/*"'
                )
    return AssetsConfig(
        directory=directory,
        binding=table.identifier("binding") if table.has("binding") else None,
        run_worker_first=first or False,
        not_found_handling=table.choice("not_found_handling", NOT_FOUND_HANDLING),
        html_handling=table.choice("html_handling", HTML_HANDLING, default="auto-trailing-slash"),
    )


def _check_names(
    file: Path,
    bindings: tuple[Binding, ...],
    others: tuple[WorkflowBinding | SendEmailBinding, ...],
    variables: Mapping[str, object],
    assets: AssetsConfig | None,
) -> None:
    taken = {binding.name: "durable_objects.bindings" for binding in bindings}
    for other in others:
        key = "workflows" if isinstance(other, WorkflowBinding) else "send_email"
        if other.name in taken:
            problem = f'"{other.name}" is also a name in {taken[other.name]}. Rename one of them'
            raise ConfigError(file, key, problem)
        taken[other.name] = key
    if assets and assets.binding:
        if assets.binding in taken:
            raise ConfigError(
                file,
                "assets.binding",
                f'"{assets.binding}" is also a name in {taken[assets.binding]}. Rename one of them',
            )
        taken[assets.binding] = "assets.binding"
    for name in variables:
        if name in taken:
            raise ConfigError(file, f"vars.{name}", f'"{name}" is also a name in {taken[name]}. Rename one of them')
