"""Calling an agent's methods by name, from trusted code: verbs and callables, in either spelling."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from agents_runtime._core.spelling import did_you_mean, snake_case
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime.rpc.decorate import Exposed


def find_verb(
    target: object, name: str, callables: Mapping[str, Exposed], hidden: Collection[str]
) -> Callable[..., Any]:
    """The bound method a name stands for: a callable by its wire name, or any public method.

    JavaScript's spelling is understood: `setState` is `set_state`.

    Raises:
        UsageError: there is no such method.
    """
    exposed = callables.get(name)
    if exposed is not None:
        return getattr(target, exposed.attribute)  # type: ignore[no-any-return] # a method
    for spelling in (name, snake_case(name)):
        if not spelling.startswith("_") and spelling not in hidden and _is_method(target, spelling):
            return getattr(target, spelling)  # type: ignore[no-any-return] # a method
    cls = type(target)
    known = {verb for verb in dir(cls) if not verb.startswith("_") and verb not in hidden and _is_method(target, verb)}
    raise UsageError(f"{cls.__name__} has no method {name!r}{did_you_mean(name, known | set(callables))}")


def _is_method(target: object, name: str) -> bool:
    return isinstance(getattr(type(target), name, None), FunctionType)
