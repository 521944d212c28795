"""Between a state as the user sees it (dict, TypedDict, dataclass, pydantic model) and its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents_runtime._core.typed import Annotation, Mismatch, converter, describe
from agents_runtime.errors import PeerError, StorageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json


class StoredStateMismatch(StorageError):
    """Raised when the stored state is not of the class's state type. The stored state is kept."""

    code = "stored_state_mismatch"

    def __init__(self, annotation: Annotation, mismatch: Mismatch) -> None:
        super().__init__(
            f"the stored state does not fit {describe(annotation)}: state{mismatch.path} {mismatch.problem}. "
            "Give new fields a default, or bring old states into the new form with self.sql(...) in on_start"
        )


class InvalidState(PeerError):
    """Raised when a client writes a state that is not of the class's state type."""

    code = "invalid_state"

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(f"state{mismatch.path} {mismatch.problem}")


class StateCodec:
    """Makes typed states from JSON. Without a type, JSON is the state."""

    def __init__(self, annotation: Annotation) -> None:
        self._annotation = annotation
        self._from_client = converter(annotation)
        self._from_storage = converter(annotation, drops_extras=True)

    @property
    def is_plain(self) -> bool:
        """Whether the JSON value is the state."""
        return self._from_storage is None

    def from_storage(self, value: Json) -> Any:  # noqa: ANN401 - the user's state type
        """The state of a stored value; keys that the type no longer has are left out.

        Raises:
            StoredStateMismatch: the class changed in a way the stored value does not fit.
        """
        if self._from_storage is None:
            return value
        try:
            return self._from_storage(value)
        except Mismatch as mismatch:
            raise StoredStateMismatch(self._annotation, mismatch) from None

    def from_client(self, value: Json) -> Any:  # noqa: ANN401 - the user's state type
        """The state a client wrote.

        Raises:
            InvalidState: it is not of the class's state type.
        """
        if self._from_client is None:
            return value
        try:
            return self._from_client(value)
        except Mismatch as mismatch:
            raise InvalidState(mismatch) from None
