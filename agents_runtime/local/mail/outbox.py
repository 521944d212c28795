"""The outbox: every mail that the worker sent, kept until somebody deletes it. On disk a folder, in tests a list.

A mail on disk is `<id>.eml`: one more header field with its envelope, then the mail as it was sent. It is synced and
renamed into place before `add` returns: then a loss of power keeps the mail. Ids sort by time.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, Protocol

from agents_runtime.errors import StorageError

logger = logging.getLogger("agents_runtime.local.mail")

Kind = Literal["send", "reply", "forward"]
Status = Literal["kept", "waiting", "sent", "failed"]
"""`kept`: nobody sends it on. `waiting`: to be sent by SMTP, tried again until it is `sent` or has `failed`."""

ENVELOPE = b"X-Agents-Outbox: "
_is_id = re.compile(r"\d{13}-[A-Za-z0-9_-]{4,40}").fullmatch


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
        """Keep a mail for good."""
        ...

    def update(self, mail: SentMail) -> None:
        """Note what became of a mail."""
        ...

    def all(self) -> list[SentMail]:
        """Every mail, oldest first."""
        ...

    def get(self, mail_id: str) -> SentMail | None: ...
    def clear(self) -> int:
        """Delete every mail that waits for nothing; returns how many."""
        ...


class MemoryOutbox:
    """An outbox for tests."""

    def __init__(self) -> None:
        self._mails: dict[str, SentMail] = {}
        self.is_synced = False
        self.on_added: Callable[[SentMail], object] | None = None

    def add(self, mail: SentMail) -> None:
        self._mails[mail.id] = mail
        if self.on_added is not None:
            self.on_added(mail)

    def update(self, mail: SentMail) -> None:
        self._mails[mail.id] = mail

    def all(self) -> list[SentMail]:
        return sorted(self._mails.values(), key=lambda mail: mail.id)

    def get(self, mail_id: str) -> SentMail | None:
        return self._mails.get(mail_id)

    def clear(self) -> int:
        done = [mail.id for mail in self.all() if mail.status != "waiting"]
        for mail_id in done:
            del self._mails[mail_id]
        return len(done)


class DiskOutbox:
    """A folder of mails. It is made with the first one."""

    def __init__(self, folder: Path, *, is_synced: bool = True) -> None:
        self.folder = folder
        self.on_added: Callable[[SentMail], object] | None = None
        self.is_synced = is_synced

    def add(self, mail: SentMail) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(mail)
            self._sync_folder()
        except OSError as error:
            raise StorageError(f"the mail cannot be kept in {self.folder} ({error}), so it is not sent") from error
        if self.on_added is not None:
            self.on_added(mail)

    def update(self, mail: SentMail) -> None:
        self._write(mail)

    def all(self) -> list[SentMail]:
        found = (self.get(path.stem) for path in sorted(self.folder.glob("*.eml")))
        return [mail for mail in found if mail is not None]

    def get(self, mail_id: str) -> SentMail | None:
        if not _is_id(mail_id):
            return None
        path = self.folder / f"{mail_id}.eml"
        try:
            head, _, raw = path.read_bytes().partition(b"\r\n")
            envelope: dict[str, Any] = json.loads(head.removeprefix(ENVELOPE))
            envelope["to"] = tuple(envelope["to"])
            return SentMail(**envelope, raw=raw)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be read and is left alone: %s", path, error)
            return None

    def clear(self) -> int:
        done = [mail.id for mail in self.all() if mail.status != "waiting"]
        for mail_id in done:
            with suppress(FileNotFoundError):
                (self.folder / f"{mail_id}.eml").unlink()
        return len(done)

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


def changed(mail: SentMail, status: Status, problem: str | None = None) -> SentMail:
    """The mail after one more attempt to send it on."""
    return replace(mail, status=status, attempts=mail.attempts + 1, problem=problem)
