"""Records that users get: frozen dataclasses, which also answer to the keys of the JavaScript SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class Record:
    """A record that can also be read by JavaScript names: `record["delayInSeconds"]`, `dict(record)`."""

    __slots__ = ()

    javascript_names: ClassVar[dict[str, str]] = {}
    """JavaScript's key of each attribute."""

    def keys(self) -> Iterator[str]:
        """The JavaScript names of the attributes that have a value."""
        return (key for key, name in self.javascript_names.items() if getattr(self, name) is not None)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - the attributes differ in type
        name = self.javascript_names.get(key, key)
        if name not in self.javascript_names.values():
            raise KeyError(key)
        return getattr(self, name)
