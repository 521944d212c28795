"""The outbox: the mails that the worker sent, the newest ones and all that wait. On disk a folder, in tests a list.

A mail on disk is `<id>.eml`: one more header field with its envelope, then the mail as it was sent. It is synced and
renamed into place before `add` returns: then a loss of power keeps the mail. Ids sort by time.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, Protocol

from agents_runtime.errors import StorageError
from agents_runtime.local.mail.ledger import Ledger

logger = logging.getLogger("agents_runtime.local.mail")

Kind = Literal["send", "reply", "forward"]
Status = Literal["kept", "waiting", "sent", "failed"]
"""`kept`: nobody sends it on. `waiting`: to be sent by SMTP, tried again until it is `sent` or has `failed`."""

ENVELOPE = b"X-Agents-Outbox: "
_is_id = re.compile(r"\d{13}-[A-Za-z0-9_-]{4,40}").fullmatch
_is_draft = re.compile(r"\.\d{13}-[A-Za-z0-9_-]{4,40}\.\d+").fullmatch


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that the worker sent.

    Attributes:
        id: its name in the outbox.
        kind: `send` by a binding, `reply` to a mail, or `forward` of one.
        from_: the sender, by the envelope.
        to: the recipients, by the envelope.
        sent_at_ms: when, in milliseconds since the epoch.
        status: what became of it.
        attempts: how often it was tried to be sent on.
        problem: why that failed the last time.
        raw: the mail itself.
    """

    id: str
    kind: Kind
    from_: str
    to: tuple[str, ...]
    sent_at_ms: int
    raw: bytes
    status: Status = "kept"
    attempts: int = 0
    problem: str | None = None

    @property
    def message(self) -> EmailMessage:
        """The mail as the standard library reads it."""
        from agents_runtime.email.parsing import parse

        return parse(self.raw)

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        from agents_runtime.email.headers import EmailHeaders
        from agents_runtime.email.parsing import header_pairs, readable_header

        return readable_header(EmailHeaders(header_pairs(self.raw)).get("subject"))

    @property
    def text(self) -> str | None:
        """The body as plain text."""
        from agents_runtime.email.parsing import text_body

        return text_body(self.message, "plain")

    def envelope(self) -> dict[str, Any]:
        """All but the mail itself, as JSON has it."""
        return {key: value for key, value in asdict(self).items() if key != "raw"}


class Outbox(Protocol):
    """Where sent mails are kept.

    Attributes:
        is_synced: `add` waits for the disk, so it is called in a thread.
        on_added: called after each `add`, in the thread of that.
    """

    is_synced: bool
    on_added: Callable[[SentMail], object] | None

    def add(self, mail: SentMail) -> None:
        """Keep a mail. The oldest that wait for nothing go when there are too many.

        Raises:
            StorageError: it cannot be kept, or too many wait.
        """
        ...

    def update(self, mail: SentMail) -> None:
        """Note what became of a mail."""
        ...

    def all(self, newest: int | None = None) -> list[SentMail]:
        """Every mail, or so many of the newest, oldest first."""
        ...

    def waiting(self) -> list[SentMail]:
        """The mails that wait to be sent on, oldest first."""
        ...

    def get(self, mail_id: str) -> SentMail | None: ...
    def clear(self) -> int:
        """Delete every mail that waits for nothing; returns how many."""
        ...


class MemoryOutbox:
    """An outbox for tests."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._mails: dict[str, SentMail] = {}
        self._ledger = ledger or Ledger()
        self.is_synced = False
        self.on_added: Callable[[SentMail], object] | None = None

    def add(self, mail: SentMail) -> None:
        self._ledger.check_room(len(mail.raw))
        self.update(mail)
        for mail_id in self._ledger.surplus():
            self._mails.pop(mail_id, None)
        if self.on_added is not None:
            self.on_added(mail)

    def update(self, mail: SentMail) -> None:
        self._mails[mail.id] = mail
        self._ledger.note(mail.id, len(mail.raw), waits=mail.status == "waiting")

    def all(self, newest: int | None = None) -> list[SentMail]:
        found = sorted(self._mails.values(), key=lambda mail: mail.id)
        return found if newest is None else found[-newest:]

    def waiting(self) -> list[SentMail]:
        return [self._mails[mail_id] for mail_id in self._ledger.waiting]

    def get(self, mail_id: str) -> SentMail | None:
        return self._mails.get(mail_id)

    def clear(self) -> int:
        done = [mail.id for mail in self.all() if mail.status != "waiting"]
        for mail_id in done:
            del self._mails[mail_id]
            self._ledger.drop(mail_id)
        return len(done)


class DiskOutbox:
    """A folder of mails. It is made with the first one. What is in it is counted once, and when something is added."""

    def __init__(self, folder: Path, *, is_synced: bool = True, ledger: Ledger | None = None) -> None:
        self.folder = folder
        self.on_added: Callable[[SentMail], object] | None = None
        self.is_synced = is_synced
        self._lock = threading.Lock()
        self._empty = ledger or Ledger()
        self._counted: Ledger | None = None

    def add(self, mail: SentMail) -> None:
        with self._lock:
            ledger = self._ledger()
            ledger.check_room(len(mail.raw))
            ledger.note(mail.id, len(mail.raw), waits=mail.status == "waiting")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(mail)
            self._sync_folder()
        except OSError as error:
            with self._lock:
                ledger.drop(mail.id)
            raise StorageError(f"the mail cannot be kept in {self.folder} ({error}), so it is not sent") from error
        with self._lock:
            surplus = ledger.surplus()
        for mail_id in surplus:
            self._delete(mail_id)
        if self.on_added is not None:
            self.on_added(mail)

    def update(self, mail: SentMail) -> None:
        with self._lock:
            ledger = self._ledger()
        self._write(mail)
        with self._lock:
            ledger.note(mail.id, len(mail.raw), waits=mail.status == "waiting")

    def all(self, newest: int | None = None) -> list[SentMail]:
        paths = sorted(self.folder.glob("*.eml"))
        found = (self.get(path.stem) for path in (paths if newest is None else paths[-newest:]))
        return [mail for mail in found if mail is not None]

    def waiting(self) -> list[SentMail]:
        with self._lock:
            ids = self._ledger().waiting
        found = (self.get(mail_id) for mail_id in ids)
        return [mail for mail in found if mail is not None and mail.status == "waiting"]

    def get(self, mail_id: str) -> SentMail | None:
        if not _is_id(mail_id):
            return None
        path = self.folder / f"{mail_id}.eml"
        try:
            head, _, raw = path.read_bytes().partition(b"\r\n")
            return SentMail(**_envelope(head), raw=raw)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be read and is left alone: %s", path, error)
            return None

    def clear(self) -> int:
        done = [mail.id for mail in self.all() if mail.status != "waiting"]
        for mail_id in done:
            self._delete(mail_id)
            with self._lock:
                if self._counted is not None:
                    self._counted.drop(mail_id)
        return len(done)

    def _ledger(self) -> Ledger:
        """What is there, counted when it is needed for the first time."""
        ledger = self._counted
        if ledger is None:
            ledger = self._counted = self._empty
            for path in sorted(self.folder.glob("*.eml")):
                with suppress(OSError, ValueError, TypeError, KeyError), path.open("rb") as file:
                    status = _envelope(file.readline().rstrip(b"\r\n"))["status"]
                    ledger.note(path.stem, path.stat().st_size, waits=status == "waiting")
            for path in self.folder.glob(".*"):
                if _is_draft(path.name):  # what a crash left of a mail that nobody was told of
                    path.unlink(missing_ok=True)
        return ledger

    def _delete(self, mail_id: str) -> None:
        with suppress(OSError):
            (self.folder / f"{mail_id}.eml").unlink()

    def _write(self, mail: SentMail) -> None:
        draft = self.folder / f".{mail.id}.{os.getpid()}"
        with draft.open("wb") as file:
            file.write(ENVELOPE + json.dumps(mail.envelope()).encode() + b"\r\n" + mail.raw)
            file.flush()
            if self.is_synced:
                os.fsync(file.fileno())
        draft.replace(self.folder / f"{mail.id}.eml")

    def _sync_folder(self) -> None:
        if self.is_synced and os.name == "posix":
            handle = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _envelope(head: bytes) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(head.removeprefix(ENVELOPE))
    envelope["to"] = tuple(envelope["to"])
    return envelope


def changed(mail: SentMail, status: Status, problem: str | None = None) -> SentMail:
    """The mail after one more attempt to send it on."""
    return replace(mail, status=status, attempts=mail.attempts + 1, problem=problem)
