"""The copy a remote call makes of its arguments and of its result. Does not touch bytes or storage."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar, cast

from agents_runtime.local.values.types import (
    MAX_NUMBER,
    JsBigInt,
    JsDict,
    JsValue,
    data_clone_error,
    datetime_of,
    epoch_ms,
    in_property_order,
    number_of,
    property_name,
    refuse_by_type,
    view_of,
)

T = TypeVar("T")


def clone(value: object) -> JsValue:
    """Copy a value as a remote call does: the receiver shares nothing with the sender.

    dict becomes `JsDict` with text keys, bytes become a memoryview, 2.0 becomes 2, an aware datetime a
    naive one in UTC, a large int a `JsBigInt`, an exception a plain `Exception`, a function an `RpcFunction`.
    An object whose class says `crosses_rpc = True` (a stub, a response) is handed over as it is.

    Raises:
        TypeError: a tuple, bytearray or awaitable, at any depth.
        JsException: a DataCloneError, for any other type, at any depth.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if type(value) is int:
        return value if -MAX_NUMBER <= value <= MAX_NUMBER else JsBigInt(value)
    copier = _COPIERS.get(kind)
    return copier(value) if copier is not None else _clone_other(value)


class RpcFunction:
    """A function received from another object. Calling it returns an awaitable.

    It lives as long as both objects do and is not storable. Arguments and result are copied by `clone`; keyword
    arguments arrive as one dict, last. On Workers an `async` function must return text, a number, a bool or
    None, or the result of `python_to_rpc(...)`; here any value that can be copied is accepted.
    """

    crosses_rpc = True

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    async def __call__(self, *args: JsValue, **kwargs: JsValue) -> JsValue:
        """Call the function where it came from and return a copy of its result."""
        copies = [clone(argument) for argument in args]
        if kwargs:
            copies.append(clone(kwargs))
        result = self._function(*copies)
        if inspect.isawaitable(result):
            result = await cast("Awaitable[object]", result)
        return clone(result)


def _clone_dict(value: dict[object, object]) -> JsDict:
    copy = JsDict()
    for key, item in value.items():
        kind = type(item)
        copy[key if type(key) is str else property_name(key)] = (
            item if kind is str or item is None or kind is bool else clone(item)
        )
    return in_property_order(copy) if any(map(str.isdecimal, copy)) else copy


def _clone_list(value: list[object]) -> list[JsValue]:
    return [clone(item) for item in value]


def _clone_set(value: set[object]) -> set[JsValue]:
    copies = [clone(item) for item in value]
    try:
        return set(copies)
    except (TypeError, ValueError):  # a dict in a set, or binary data
        raise data_clone_error(value) from None


def _clone_memoryview(value: memoryview) -> memoryview:
    return view_of(value.tobytes(), value.format)


def _clone_datetime(value: datetime) -> datetime:
    return datetime_of(epoch_ms(value))


def _clone_int(value: int) -> int:
    return int(value) if -MAX_NUMBER <= value <= MAX_NUMBER else JsBigInt(value)


def _clone_exception(value: Exception) -> Exception:
    return Exception(f"Error: {value}")


def _refuse(value: object) -> JsValue:
    raise refuse_by_type(value)


_COPIERS: dict[type, Callable[..., JsValue]] = {
    float: number_of,
    dict: _clone_dict,
    JsDict: _clone_dict,
    list: _clone_list,
    set: _clone_set,
    bytes: view_of,
    memoryview: _clone_memoryview,
    datetime: _clone_datetime,
    JsBigInt: JsBigInt,
    tuple: _refuse,
    bytearray: _refuse,
}

_BY_BASE: tuple[tuple[type, Callable[..., JsValue]], ...] = (
    (int, _clone_int),
    (float, number_of),
    (str, str),
    (dict, _clone_dict),
    (list, _clone_list),
    (set, _clone_set),
    (tuple, _refuse),
    (bytearray, _refuse),
    (bytes, view_of),
    (datetime, _clone_datetime),
    (Exception, _clone_exception),
)


def _clone_other(value: object) -> JsValue:
    """Copy a value whose exact type is not one of the common ones."""
    if getattr(type(value), "crosses_rpc", False):
        return value
    for base, copier in _BY_BASE:
        if isinstance(value, base):
            return copier(value)
    if inspect.isawaitable(value):
        raise TypeError(f"Awaitable {type(value)} cannot be sent over RPC.")
    if callable(value) and not isinstance(value, type):
        return RpcFunction(value)
    raise data_clone_error(value)
