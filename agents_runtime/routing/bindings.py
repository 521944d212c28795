"""Which Durable Object binding a path segment, a text or a class means."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from agents_runtime.errors import ConfigError, UsageError
from agents_runtime.routing.urls import camel_case_to_kebab_case, name_for

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace


def binding_of_segment(namespaces: Mapping[str, Namespace], segment: str) -> str | None:
    """The binding whose kebab-case form a URL names; None when there is none.

    Raises:
        ConfigError: two bindings have this form.
    """
    found = _by_segment(tuple(namespaces)).get(segment)
    return found if found is None or isinstance(found, str) else _refuse_ambiguous(segment, found)


def binding_of(namespaces: Mapping[str, Namespace], wanted: str | type[object]) -> str:
    """The binding meant by its name in any spelling, by its class's name, or by its class.

    Raises:
        UsageError: there is none.
        ConfigError: there are several.
    """
    if isinstance(wanted, str):
        found = wanted if wanted in namespaces else binding_of_segment(namespaces, camel_case_to_kebab_case(wanted))
        found = found or _only(wanted, (name for name, cls in _classes(namespaces) if _is_named(cls, wanted)))
    else:
        found = _only(wanted.__name__, (name for name, cls in _classes(namespaces) if cls is wanted))
        found = found or binding_of_segment(namespaces, camel_case_to_kebab_case(wanted.__name__))
    if found is None:
        shown = wanted if isinstance(wanted, str) else wanted.__name__
        raise UsageError(
            f"no Durable Object binding is meant by {shown!r}: this worker has {listed(namespaces)}. "
            "Use one of these, or add a binding to your wrangler file"
        )
    return found


def binding_of_value(namespaces: Mapping[str, Namespace], value: object) -> tuple[Namespace, str]:
    """A binding given as itself (`env.Chat`), and the name to call it by.

    Raises:
        UsageError: it is no Durable Object binding.
    """
    if not callable(getattr(value, "idFromName", None)):
        raise UsageError(f"expected a binding such as env.Chat, its name or an Agent class, not {type(value).__name__}")
    namespace = cast("Namespace", value)
    cls = getattr(namespace, "agents_class", None)
    unbound = cls.__name__ if isinstance(cls, type) else "agent"
    return namespace, next((name for name, known in namespaces.items() if known is value), unbound)


def listed(namespaces: Iterable[str]) -> str:
    """Binding names as a sentence part."""
    return ", ".join(sorted(namespaces)) or "none"


@functools.lru_cache(maxsize=64)
def _by_segment(bindings: tuple[str, ...]) -> dict[str, str | list[str]]:
    """Binding by kebab-case form, and all of them where a form is ambiguous.

    Cached by the names alone, so that nothing here keeps an environment alive.
    """
    segments: dict[str, str | list[str]] = {}
    for binding in bindings:
        kebab = camel_case_to_kebab_case(binding)
        if not kebab:
            continue
        for segment in {kebab, name_for(kebab)}:
            known = segments.get(segment)
            if known is None:
                segments[segment] = binding
            else:
                segments[segment] = [*([known] if isinstance(known, str) else known), binding]
    return segments


def _classes(namespaces: Mapping[str, Namespace]) -> Iterable[tuple[str, type[object]]]:
    for binding, namespace in namespaces.items():
        cls = getattr(namespace, "agents_class", None)
        if isinstance(cls, type):
            yield binding, cls


def _is_named(cls: type[object], wanted: str) -> bool:
    return cls.__name__ == wanted or camel_case_to_kebab_case(cls.__name__) == wanted


def _only(wanted: str, found: Iterable[str]) -> str | None:
    bindings = list(found)
    if len(bindings) > 1:
        _refuse_ambiguous(wanted, bindings)
    return bindings[0] if bindings else None


def _refuse_ambiguous(wanted: str, bindings: list[str]) -> str:
    raise ConfigError(
        "wrangler file",
        "durable_objects.bindings",
        f"{wanted!r} may mean {' or '.join(sorted(bindings))}: rename one, or name the binding exactly",
    )
