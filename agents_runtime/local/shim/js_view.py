"""What `.js_object` gives on CPython: a token that stands for the object where the platform takes a JS one."""

from __future__ import annotations

from typing import NoReturn


class JsView:
    """Stands for the JavaScript side of a Request, Response, FormData or Blob.

    Give it to `Request`, `Response`, `FormData`, `Blob` or a stub's `fetch`, as on the platform. It has
    nothing else: there is no JavaScript here.
    """

    __slots__ = ("wrapped",)

    def __init__(self, wrapped: object) -> None:
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> NoReturn:
        kind = type(self.wrapped).__name__
        raise AttributeError(f"there is no JavaScript on CPython: use the Python {kind} instead of .js_object.{name}")

    def __repr__(self) -> str:
        return f"<JavaScript side of {self.wrapped!r}>"


def unwrap(value: object) -> object:
    """The Python object behind a `JsView`; anything else as it is."""
    return value.wrapped if isinstance(value, JsView) else value
