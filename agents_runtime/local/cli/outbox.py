"""`agents-runtime outbox`: what the project's agents sent by e-mail, read from disk while a server runs or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from agents_runtime.errors import UsageError
from agents_runtime.local.config import find_config
from agents_runtime.local.mail.outbox import DiskOutbox, SentMail


def list_outbox(data: Path | None, config: Path) -> None:
    """Print a line for each mail, oldest first."""
    mails = _outbox(data, config).all()
    for mail in mails:
        click.echo(_line(mail))
    if not mails:
        click.echo("no mail was sent")


def show_mail(data: Path | None, config: Path, mail_id: str) -> None:
    """Print one mail, as it was sent.

    Raises:
        UsageError: there is none with this id.
    """
    mail = _outbox(data, config).get(mail_id)
    if mail is None:
        raise UsageError(f"there is no mail {mail_id!r}: `agents-runtime outbox` lists them")
    click.echo(mail.raw, nl=False)


def clear_outbox(data: Path | None, config: Path) -> None:
    """Delete what does not wait to be sent on."""
    click.echo(f"{_outbox(data, config).clear()} mails deleted")


def _outbox(data: Path | None, config: Path) -> DiskOutbox:
    from agents_runtime.local.cli.serving import DATA_FOLDER

    folder = data or find_config(config.absolute()).parent / DATA_FOLDER
    return DiskOutbox(folder.absolute() / "outbox")


def _line(mail: SentMail) -> str:
    when = datetime.fromtimestamp(mail.sent_at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = f"{mail.id}  {when}  {mail.status:7}  {mail.kind:7}  {mail.from_} -> {', '.join(mail.to)}  {mail.subject}"
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
