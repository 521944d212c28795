"""Conversions of `workers.rpc`: without JavaScript, what is left is the copy that a remote call makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime.local.shim.js_view import unwrap

if TYPE_CHECKING:
    from agents_runtime.local.values import JsValue


def python_to_rpc(value: JsValue) -> JsValue:
    """A copy of `value` under the rules of remote calls. Raises TypeError for what cannot cross."""
    from agents_runtime.local.values import clone

    return clone(value)


def python_from_rpc(obj: JsValue) -> JsValue:
    """A copy of what arrived in a remote call. What `.js_object` gave turns back into its object."""
    from agents_runtime.local.values import clone

    return clone(unwrap(obj))
