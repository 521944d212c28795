"""The object behind `.headers`. Imported on first use only: `http.client` is heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.client import HTTPMessage
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from abc import ABCMeta


class HTTPMessageMapping(HTTPMessage):
    """Headers as an `http.client.HTTPMessage` that also counts as a Mapping. Names ignore case."""

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> HTTPMessageMapping:
        """A message with exactly these fields, in order."""
        message = cls()
        add = message.set_raw
        for name, value in fields:
            add(name, value)
        return message


cast("ABCMeta", Mapping).register(HTTPMessageMapping)
