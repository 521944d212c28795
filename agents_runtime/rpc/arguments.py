"""Checking the arguments a client sent against the method's signature and annotations."""

from __future__ import annotations

import logging
import sys
import typing
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from agents_runtime._core.typed import Converter, Mismatch, converter
from agents_runtime.errors import PeerError

if TYPE_CHECKING:
    from types import FunctionType

    from agents_runtime.rpc.decorate import Exposed

logger = logging.getLogger("agents_runtime")

_PASSED_AS_IT_IS = frozenset({int, str, bool, list, dict})
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class WrongArguments(PeerError):
    """Raised when a client calls a method with arguments it does not take."""

    code = "wrong_arguments"

    def __init__(self, method: str, problem: str) -> None:
        super().__init__(f"Method {method}: {problem}")


class Plan:
    """How the arguments of one method are checked. Built on its first call."""

    __slots__ = ("_checks", "_maximum", "_method", "_names", "_required", "_rest")

    def __init__(self, exposed: Exposed) -> None:
        self._method = exposed.metadata.name
        skipped = 2 if exposed.takes_stream else 1
        parameters = list(signature(exposed.function).parameters.values())
        hints = _hints(exposed.function)
        taken = [p for p in parameters if p.kind in _POSITIONAL][skipped:]
        variadic = next((p for p in parameters if p.kind is Parameter.VAR_POSITIONAL), None)
        self._names = [parameter.name for parameter in taken]
        self._required = sum(parameter.default is Parameter.empty for parameter in taken)
        self._maximum = len(taken) if variadic is None else sys.maxsize
        self._checks: list[tuple[int, type | None, Converter]] = []
        for index, parameter in enumerate(taken):
            hint = hints.get(parameter.name, Any)
            if (convert := converter(hint)) is not None:
                self._checks.append((index, hint if hint in _PASSED_AS_IT_IS else None, convert))
        self._rest = None if variadic is None else converter(hints.get(variadic.name, Any))

    def bind(self, args: list[Any]) -> list[Any]:
        """The arguments to call with; `args` may be changed.

        Raises:
            WrongArguments: naming the parameter that is missing or does not fit.
        """
        count = len(args)
        if not self._required <= count <= self._maximum:
            raise WrongArguments(self._method, self._count_problem(count))
        for index, exact, convert in self._checks:
            if index >= count:
                break
            value = args[index]
            if type(value) is not exact:
                args[index] = self._convert(convert, value, self._names[index])
        if self._rest is not None:
            for index in range(len(self._names), count):
                args[index] = self._convert(self._rest, args[index], str(index + 1))
        return args

    def _convert(self, convert: Converter, value: object, name: str) -> object:
        try:
            return convert(value)
        except Mismatch as mismatch:
            raise WrongArguments(self._method, f"argument '{name}'{mismatch.path} {mismatch.problem}") from None

    def _count_problem(self, count: int) -> str:
        if count < self._required:
            return f"argument '{self._names[count]}' is missing"
        return f"takes at most {self._maximum} arguments, {count} were sent"


def _hints(function: FunctionType) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:  # an annotation may name anything, or nothing
        logger.warning(
            "the arguments of %s are not checked: its annotations are unreadable (%s)", function.__qualname__, error
        )
        return {}
