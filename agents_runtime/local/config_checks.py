"""Checked access to a parsed project file: every mistake names the file, the key, what was found and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from agents_runtime.errors import ConfigError

READ_KEYS = frozenset(
    {
        "name", "main", "compatibility_date", "compatibility_flags", "durable_objects", "migrations", "vars", "assets",
        "workflows", "send_email",
    }
)  # fmt: skip
DEPLOY_KEYS = frozenset(
    {
        "$schema", "account_id", "alias", "base_dir", "build", "cloudchamber", "compliance_region", "define", "dev",
        "find_additional_modules", "first_party_worker", "jsx_factory", "jsx_fragment", "keep_names", "keep_vars",
        "legacy_env", "limits", "logfwdr", "logpush", "minify", "no_bundle", "observability", "placement",
        "preserve_file_names", "preview_urls", "pages_build_output_dir", "previews", "python_modules", "route",
        "routes", "rules", "send_metrics", "site", "tail_consumers", "streaming_tail_consumers", "upload_source_maps",
        "userns", "workers_dev", "secrets",
    }
)  # fmt: skip
"""What only a deploy uses. Accepted in silence."""

MISSING_BINDINGS = frozenset(
    {
        "ai", "ai_search", "ai_search_namespaces", "analytics_engine_datasets", "browser", "containers", "d1_databases",
        "data_blobs", "dispatch_namespaces", "hello_world", "hyperdrive", "images", "kv_namespaces", "media",
        "mtls_certificates", "pipelines", "queues", "r2_buckets", "ratelimits", "secrets_store_secrets",
        "services", "text_blobs", "unsafe", "unsafe_hello_world", "vectorize", "version_metadata", "vpc_services",
        "wasm_modules", "worker_loaders",
    }
)  # fmt: skip
"""Bindings that exist once deployed and not on the local host."""

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
)


def check_keys(root: Table, notes: list[str]) -> None:
    """Note what the local host will not act on. Unknown keys never stop it."""
    name = root.file.name
    for key in root.values:
        if key in READ_KEYS or key in DEPLOY_KEYS:
            continue
        if key in MISSING_BINDINGS:
            notes.append(f"{name}: {key}: not available on the local host, so `env` will lack these names")
        elif key == "triggers":
            notes.append(f"{name}: triggers: cron triggers do not run on the local host; an Agent's own schedules do")
        elif key == "env":
            notes.append(f"{name}: env: named environments are not read on the local host; the top level is")
        else:
            known = READ_KEYS | DEPLOY_KEYS | MISSING_BINDINGS | {"triggers", "env"}
            notes.append(f'{name}: unknown key "{key}"{closest(key, known)}; it is ignored')


def closest(name: str, known: Iterable[str]) -> str:
    """` (did you mean "x"?)`, or nothing when no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not near:
        near = [other for other in known if other.lower() == name.lower()][:1]
    return f' (did you mean "{near[0]}"?)' if near else ""


def describe(value: object) -> str:
    """What kind of value a user wrote, as a noun."""
    return next((text for kind, text in _KINDS if isinstance(value, kind)), "nothing" if value is None else "a date")


class Table:
    """One table of a project file, which knows where in the file it stands."""

    __slots__ = ("_prefix", "file", "values")

    def __init__(self, file: Path, prefix: str, values: dict[str, object]) -> None:
        self.file = file
        self.values = values
        self._prefix = prefix

    def path(self, key: str) -> str:
        """The key as written from the top of the file."""
        return f"{self._prefix}.{key}" if self._prefix else key

    def error(self, key: str, problem: str) -> ConfigError:
        """The error for one key of this table."""
        return ConfigError(self.file, self.path(key), problem)

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def get(self, key: str) -> object:
        return self.values.get(key)

    def only(self, *known: str) -> None:
        """Refuse other keys: here a misspelt one would change what runs."""
        for key in self.values:
            if key not in known:
                raise self.error(key, f"unknown key{closest(key, known)}. Known here: {', '.join(known)}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key)
        if value is None:
            if default is None:
                raise self.error(key, f'missing. Write {key} = "..."')
            return default
        if not isinstance(value, str):
            raise self.error(key, f"found {describe(value)} ({value!r}). Write a text in quotes")
        if not value.strip():
            raise self.error(key, "empty. Write a text")
        return value

    def identifier(self, key: str) -> str:
        """A text that is a Python name, since user code writes it as `env.NAME` or `class NAME`."""
        value = self.text(key)
        if not value.isidentifier():
            raise self.error(
                key, f'"{value}" is not a name. Use letters, digits and underscores, not starting with a digit'
            )
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default=default or allowed[0])
        if value not in allowed:
            listed = ", ".join(f'"{name}"' for name in allowed)
            raise self.error(key, f'found "{value}"{closest(value, allowed)}. Write one of {listed}')
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; an absent key is an empty one."""
        values = self._list(key, '["...", "..."]')
        texts: list[str] = []
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise self.error(f"{key}[{index}]", f"found {describe(value)} ({value!r}). Write a text in quotes")
            texts.append(value)
        return tuple(texts)

    def table(self, key: str) -> Table:
        """A table inside this one; an absent key is an empty one."""
        value = self.values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.error(key, f"found {describe(value)} ({value!r}). Write a table: {self._table_hint(key)}")
        return Table(self.file, self.path(key), cast("dict[str, object]", value))

    def tables(self, key: str) -> list[Table]:
        """A list of tables; an absent key is an empty one."""
        hint = f"[[{self.path(key)}]]" if self.file.suffix == ".toml" else f'"{key}": [{{ ... }}]'
        tables: list[Table] = []
        for index, value in enumerate(self._list(key, hint)):
            if not isinstance(value, dict):
                raise self.error(
                    f"{key}[{index}]", f"found {describe(value)} ({value!r}). Write a list of tables: {hint}"
                )
            tables.append(Table(self.file, f"{self.path(key)}[{index}]", cast("dict[str, object]", value)))
        return tables

    def _list(self, key: str, hint: str) -> list[object]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, f"found {describe(value)} ({value!r}). Write a list: {hint}")
        return cast("list[object]", value)

    def _table_hint(self, key: str) -> str:
        return f"[{self.path(key)}]" if self.file.suffix == ".toml" else f'"{key}": {{ ... }}'
