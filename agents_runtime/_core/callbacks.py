"""Methods of an agent that are called later: checked when they are named, stored by name, found again when due."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from agents_runtime._core.spelling import did_you_mean, snake_case
from agents_runtime.errors import UnknownCallback

logger = logging.getLogger("agents_runtime")

Callback = str | Callable[..., Any]
"""A method of the agent: its name, or the method itself (`self.remind`)."""

_METHODS = (FunctionType, staticmethod, classmethod)
_taken: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
_warned: set[tuple[str, str]] = set()


class Callbacks:
    """The methods of one agent, as what may be called later."""

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._known: dict[str, str] = {}
        self._found: dict[str, Callable[..., Any]] = {}

    def name_of(self, callback: Callback) -> str:
        """The name to store for a callback.

        Raises:
            UnknownCallback: it is no method of this agent.
        """
        if isinstance(callback, str):
            name = self._known.get(callback)
            return name if name is not None else self._checked(callback)
        return self._name_of_method(callback)

    def _name_of_method(self, method: Callable[..., Any]) -> str:
        name = getattr(method, "__name__", "")
        bound_to = getattr(method, "__self__", self._owner)
        own = inspect.getattr_static(type(self._owner), name, None)
        is_own = own is not None and inspect.unwrap(_plain(own)) is inspect.unwrap(_plain(method))
        if bound_to is not self._owner or not is_own:
            cls = type(self._owner).__name__
            raise UnknownCallback(
                str(name or method),
                f"{method!r} is no method of this {cls}: it is stored by name and called after a restart too, so it "
                "must be a method of the agent, given as self.name or by its name",
            )
        return self._checked(name)

    def _checked(self, name: str) -> str:
        cls = type(self._owner)
        if not self._is_method(name):
            own = {each for each in dir(cls) if not each.startswith("_") and self._is_method(each)}
            raise UnknownCallback(name, f"{cls.__name__} has no method {name!r} to call{did_you_mean(name, own)}")
        if name.startswith("_") and (cls.__qualname__, name) not in _warned:
            _warned.add((cls.__qualname__, name))
            logger.warning(
                "%s.%s is to be called later, and its name says that it may change: what is stored then fails",
                cls.__name__,
                name,
            )
        self._known[name] = name
        return name

    def _is_method(self, name: str) -> bool:
        return isinstance(inspect.getattr_static(type(self._owner), name, None), _METHODS)

    def find(self, name: str) -> Callable[..., Any] | None:
        """The method stored under a name, called with `(payload, item)`; None if the class has none any more.

        A name in JavaScript's spelling finds the method in ours. The method may leave out its last parameters.
        """
        found = self._found.get(name)
        if found is None:
            own_name = next((each for each in (name, snake_case(name)) if self._is_method(each)), None)
            if own_name is None:
                return None
            found = self._found[name] = _fitted(getattr(self._owner, own_name))
        return found


def _plain(method: Any) -> Any:  # noqa: ANN401 - a function, or what wraps one
    return getattr(method, "__func__", method)


def _fitted(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method` such that it can be called with two arguments."""
    taken = _positional_count(method)
    if taken >= 2:
        return method

    def fitted(payload: object, _: object) -> Any:  # noqa: ANN401 - the method's own result
        return method(payload) if taken else method()

    return fitted


def _positional_count(method: Callable[..., Any]) -> int:
    function = _plain(method)
    count = _taken.get(function)
    if count is None:
        parameters = inspect.signature(method).parameters.values()
        takes_any = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        count = _taken[function] = 2 if takes_any else sum(parameter.kind in kinds for parameter in parameters)
    return count
