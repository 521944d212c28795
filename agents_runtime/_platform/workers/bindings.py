"""Durable Object and workflow bindings of a Worker's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import js


def namespaces_of(env: Any) -> Mapping[str, Any]:
    """The Durable Object bindings, by name.

    The SDK's wrapper lists only what was touched, so the names come from the object behind it.
    """
    return _bindings(env, "DurableObjectNamespace")


def workflows_of(env: Any) -> Mapping[str, Any]:
    """The workflow bindings, by name."""
    return _bindings(env, "WorkflowImpl")


def _bindings(env: Any, kind: str) -> Mapping[str, Any]:
    raw = getattr(env, "_env", env)
    return {name: getattr(env, name) for name in js.Object.keys(raw) if _kind_of(getattr(raw, name)) == kind}


def _kind_of(binding: Any) -> str:
    return str(getattr(getattr(binding, "constructor", None), "name", ""))
