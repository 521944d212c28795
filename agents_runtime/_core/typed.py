"""From JSON values to what an annotation asks for: checked, converted, or refused with the path of the part.

Common annotations are done by hand: builtins, lists, dicts, unions, literals, TypedDicts and dataclasses. Everything
else goes to pydantic, which is imported then and not before. Whole floats pass as ints, since JavaScript does not
tell them apart; nothing else is coerced by hand.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, NewType, NotRequired, Required, TypeAlias, TypeVar, Union, cast, get_args, get_origin

from agents_runtime._core.jsonx import Json

Annotation: TypeAlias = Any
"""Whatever may stand behind a colon; Python has no type for it."""

Converter = Callable[[Any], Any]
"""Gives the value of the annotated type, or raises `Mismatch`."""


class Mismatch(ValueError):
    """A value is not of the annotated type.

    Attributes:
        path: where inside the value, such as `.items[2]`; empty for the value itself.
        problem: what is wrong there.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        self.path = path
        self.problem = problem
        super().__init__(problem)

    def inside(self, step: str) -> Mismatch:
        """The same mismatch, seen from one level up."""
        return Mismatch(self.problem, step + self.path)


def converter(annotation: Annotation, *, drops_extras: bool = False) -> Converter | None:
    """How to make a value of `annotation` from JSON; None when every JSON value will do as it is.

    Args:
        annotation: a resolved annotation.
        drops_extras: leave out keys that a TypedDict or dataclass does not have, instead of refusing them.
    """
    if annotation in _ANYTHING or isinstance(annotation, TypeVar):
        return None
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) or annotation is None else None
    if simple is not None:
        return simple
    if isinstance(annotation, NewType):
        return converter(annotation.__supertype__, drops_extras=drops_extras)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is not None:
        return _generic(annotation, origin, args, drops_extras)
    if typing.is_typeddict(annotation):
        return _Shape(cast("type", annotation), _typed_dict_keys, dict, drops_extras)
    if isinstance(annotation, type) and is_dataclass(annotation) and not hasattr(annotation, "__pydantic_validator__"):
        return _Shape(annotation, _dataclass_keys, annotation, drops_extras)
    return _ByPydantic(annotation)


def describe(annotation: Annotation) -> str:
    """An annotation as a person writes it."""
    if annotation is None or annotation is type(None):
        return "None"
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else _shown(annotation)


def _shown(annotation: Annotation) -> str:
    return str(annotation).replace("typing.", "")


def json_type(value: object) -> str:
    """The type of a JSON value, as an error calls it."""
    return "None" if value is None else type(value).__name__


def _refuse(expected: str, value: object) -> Mismatch:
    return Mismatch(f"must be {expected}, not {json_type(value)}")


def _to_int(value: object) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _refuse("int", value)


def _to_float(value: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise _refuse("float", value)


def _exactly(kind: type) -> Converter:
    def check(value: Any) -> Any:  # noqa: ANN401 - the same value
        if type(value) is not kind:
            raise _refuse(describe(kind), value)
        return value

    return check


_ANYTHING: tuple[object, ...] = (Any, object, Json)
_SIMPLE: dict[type | None, Converter] = {
    int: _to_int,
    float: _to_float,
    str: _exactly(str),
    bool: _exactly(bool),
    list: _exactly(list),
    dict: _exactly(dict),
    type(None): _exactly(type(None)),
    None: _exactly(type(None)),
}


def _generic(annotation: Annotation, origin: Annotation, args: tuple[Any, ...], drops_extras: bool) -> Converter | None:
    if origin is list:
        return _list_of(converter(args[0], drops_extras=drops_extras))
    if origin in (dict, Mapping) and args[0] in (str, Any):
        return _dict_of(converter(args[1], drops_extras=drops_extras))
    if origin is Union or origin is types.UnionType:
        members = [converter(arg, drops_extras=drops_extras) for arg in args]
        return None if None in members else _one_of(cast("list[Converter]", members), annotation)
    if origin is Literal:
        return _literal(args, annotation)
    if origin in (Required, NotRequired):
        return converter(args[0], drops_extras=drops_extras)
    return _ByPydantic(annotation)


def _list_of(item: Converter | None) -> Converter:
    def convert(value: Any) -> object:  # noqa: ANN401 - JSON
        if not isinstance(value, list):
            raise _refuse("list", value)
        values = cast("list[object]", value)
        return values if item is None else [_at(item, part, f"[{index}]") for index, part in enumerate(values)]

    return convert


def _dict_of(item: Converter | None) -> Converter:
    def convert(value: Any) -> object:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            raise _refuse("dict", value)
        values = cast("dict[str, object]", value)
        return values if item is None else {key: _at(item, part, f".{key}") for key, part in values.items()}

    return convert


def _one_of(members: list[Converter], annotation: Annotation) -> Converter:
    def convert(value: object) -> object:
        inner: Mismatch | None = None
        for member in members:
            try:
                return member(value)
            except Mismatch as mismatch:
                inner = mismatch if mismatch.path else inner
        raise inner or _refuse(describe(annotation), value)

    return convert


def _literal(choices: tuple[object, ...], annotation: Annotation) -> Converter:
    def convert(value: object) -> object:
        for choice in choices:
            if choice == value and type(choice) is type(value):
                return choice
        raise Mismatch(f"must be one of {', '.join(map(repr, choices))}, not {value!r}"[:300])

    return convert


def _at(convert: Converter, value: object, step: str) -> object:
    try:
        return convert(value)
    except Mismatch as mismatch:
        raise mismatch.inside(step) from None


Keys = dict[str, tuple[Converter | None, bool]]
"""By key: how to convert its value, and whether it must be there."""


def _typed_dict_keys(cls: Any, drops_extras: bool) -> Keys:  # noqa: ANN401 - a TypedDict class has no type of its own
    hints = typing.get_type_hints(cls, include_extras=True)
    required: frozenset[str] = cls.__required_keys__
    keys: Keys = {}
    for key, hint in hints.items():
        # Under postponed annotations the class itself cannot see `NotRequired`.
        must = get_origin(hint) is not NotRequired and (key in required or get_origin(hint) is Required)
        keys[key] = (converter(hint, drops_extras=drops_extras), must)
    return keys


def _dataclass_keys(cls: Any, drops_extras: bool) -> Keys:  # noqa: ANN401 - any dataclass
    hints = typing.get_type_hints(cls)
    return {
        field.name: (
            converter(hints[field.name], drops_extras=drops_extras),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(cls)
        if field.init
    }


class _Shape:
    """Converts an object with known keys. Annotations are resolved on first use, when every name exists."""

    def __init__(
        self, cls: type, keys_of: Callable[[Any, bool], Keys], make: Callable[..., object], drops_extras: bool
    ) -> None:
        self._cls = cls
        self._keys_of = keys_of
        self._make = make
        self._drops_extras = drops_extras
        self._keys: Keys | None = None

    def __call__(self, value: object) -> object:
        if not isinstance(value, dict):
            raise _refuse(f"dict ({self._cls.__name__})", value)
        if self._keys is None:
            self._keys = self._keys_of(self._cls, self._drops_extras)
        given = cast("dict[str, Any]", value)
        made: dict[str, object] = {}
        for key, (convert, is_required) in self._keys.items():
            if key in given:
                made[key] = given[key] if convert is None else _at(convert, given[key], f".{key}")
            elif is_required:
                raise Mismatch("is missing", f".{key}")
        if len(made) != len(given) and not self._drops_extras:
            unknown = next(key for key in given if key not in self._keys)
            raise Mismatch(f"is not a field of {self._cls.__name__}", f".{unknown}")
        try:
            return self._make(**made)
        except (TypeError, ValueError) as error:
            raise Mismatch(f"is not a valid {self._cls.__name__}: {error}") from error


class _ByPydantic:
    """Converts whatever pydantic knows."""

    def __init__(self, annotation: Annotation) -> None:
        self._annotation = annotation
        self._adapter: Any = None

    def __call__(self, value: object) -> object:
        from pydantic import TypeAdapter, ValidationError

        if self._adapter is None:
            self._adapter = TypeAdapter(self._annotation)
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
            raise Mismatch(f"is not valid: {first['msg']}", path) from None
