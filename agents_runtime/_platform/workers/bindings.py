"""Durable Object bindings of a Worker's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import js


def namespaces_of(env: Any) -> Mapping[str, Any]:
    """The Durable Object bindings, by name.

    The SDK's wrapper lists only what was touched, so the names come from the object behind it.
    """
    raw = getattr(env, "_env", env)
    return {name: getattr(env, name) for name in js.Object.keys(raw) if _is_namespace(getattr(raw, name))}


def _is_namespace(binding: Any) -> bool:
    return getattr(getattr(binding, "constructor", None), "name", "") == "DurableObjectNamespace"
