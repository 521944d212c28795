"""What an outbox holds, counted: which mails wait, and which of the others have to go when there are too many."""

from __future__ import annotations

from agents_runtime.errors import StorageError

MAX_MAILS = 20_000
"""So many mails an outbox keeps."""

MAX_BYTES = 2 * 1024**3
"""So much they have together."""


class Ledger:
    """The mails of one outbox, by id."""

    def __init__(self, max_mails: int = MAX_MAILS, max_bytes: int = MAX_BYTES) -> None:
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._waiting: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._bytes = self._waiting_bytes = 0

    @property
    def waiting(self) -> list[str]:
        """The mails that wait to be sent on."""
        return sorted(self._waiting)

    def check_room(self, size: int) -> None:
        """Make sure that a mail may come in.

        Raises:
            StorageError: those that wait fill the outbox, and none of them may go.
        """
        if len(self._waiting) >= self._max_mails or self._waiting_bytes + size > self._max_bytes:
            raise StorageError(
                f"the outbox is full: {len(self._waiting):,} mails wait to be sent on, so this one is not taken"
            )

    def note(self, mail_id: str, size: int, *, waits: bool) -> None:
        """Note a mail, or what became of it."""
        self.drop(mail_id)
        self._bytes += size
        if waits:
            self._waiting[mail_id] = size
            self._waiting_bytes += size
        else:
            self._done[mail_id] = size

    def drop(self, mail_id: str) -> None:
        """Forget a mail."""
        size = self._waiting.pop(mail_id, None)
        if size is not None:
            self._waiting_bytes -= size
        else:
            size = self._done.pop(mail_id, 0)
        self._bytes -= size

    def surplus(self) -> list[str]:
        """The mails that have to go, oldest first. They are forgotten here."""
        gone: list[str] = []
        while self._done and (len(self._done) + len(self._waiting) > self._max_mails or self._bytes > self._max_bytes):
            gone.append(next(iter(self._done)))
            self.drop(gone[-1])
        return gone
