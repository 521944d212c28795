"""Sending on by SMTP: what waits in the outbox goes to a mail server, and is tried again until it is there.

At least once: a mail is noted as sent after the server took it, so a crash in between sends it twice, with one id.
"""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from agents_runtime.errors import ConfigError
from agents_runtime.local.mail.outbox import changed

if TYPE_CHECKING:
    from agents_runtime.local.mail.outbox import Outbox, SentMail

logger = logging.getLogger("agents_runtime.local.mail")

VARIABLE = "AGENTS_SMTP_URL"
TIMEOUT_S = 30.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
MAX_ATTEMPTS = 100
"""After so many attempts, about eight hours, a mail has failed."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are sent on to. `smtp://`: plain, or STARTTLS with `?starttls`; `smtps://`: TLS from the start."""

    host: str
    port: int
    user: str | None
    password: str | None
    is_tls: bool
    starts_tls: bool

    @classmethod
    def of(cls, url: str) -> SmtpServer:
        """Read a URL such as `smtp://user:password@mail.example.com:587?starttls`.

        Raises:
            ConfigError: it is none. The text does not repeat it, as it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError(VARIABLE, None, "is no URL. Write smtp://host:port or smtps://host:port") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigError(VARIABLE, None, "names no mail server. Write smtp://host:port or smtps://host:port")
        is_tls = parts.scheme == "smtps"
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        starts_tls = "starttls" in parse_qs(parts.query, keep_blank_values=True)
        if user and not (is_tls or starts_tls) and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ConfigError(VARIABLE, None, "would send a password unencrypted. Use smtps:// or add ?starttls")
        return cls(parts.hostname, port or (465 if is_tls else 25), user, password, is_tls, starts_tls)

    def send(self, mail: SentMail) -> dict[str, object]:
        """Hand one mail over; blocks. Returns the recipients that the server refused while it took the mail."""
        tls = ssl.create_default_context() if self.is_tls or self.starts_tls else None
        connection = (
            smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=tls)
            if self.is_tls
            else smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        )
        with connection as server:
            if self.starts_tls:
                server.starttls(context=tls)
            if self.user:
                server.login(self.user, self.password or "")
            server.ehlo_or_helo_if_needed()
            options = ["BODY=8BITMIME"] if not mail.raw.isascii() and server.has_extn("8bitmime") else []
            if not all(address.isascii() for address in (mail.from_, *mail.to)):
                if not server.has_extn("smtputf8"):
                    raise smtplib.SMTPNotSupportedError(
                        f"{self.host} takes no addresses with letters beyond ASCII (it has no SMTPUTF8)"
                    )
                options.append("SMTPUTF8")
            return dict(server.sendmail(mail.from_, list(mail.to), mail.raw, mail_options=options))


class SmtpRelay:
    """Sends on what waits in an outbox, one mail after the other, while it runs.

    Args:
        first_pause_s: how long to wait after the first failure of a mail; twice as long after each further one.
    """

    def __init__(self, server: SmtpServer, outbox: Outbox, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._server = server
        self._outbox = outbox
        self._first_pause_s = first_pause_s
        self._news = asyncio.Event()
        self._not_before: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what has waited since the last run."""
        loop = asyncio.get_running_loop()
        self._outbox.on_added = lambda _: loop.call_soon_threadsafe(self._news.set)
        self._task = loop.create_task(self._run())

    async def stop(self) -> None:
        """End; what waits stays for the next run."""
        task, self._task = self._task, None
        self._outbox.on_added = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                pause_s = await self._send_what_is_due()
            except Exception:
                logger.exception("the outbox cannot be worked through; tried again later")
                pause_s = LONGEST_PAUSE_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _send_what_is_due(self) -> float | None:
        """Try every mail whose time has come; returns how long until the next one's has."""
        loop = asyncio.get_running_loop()
        for mail in await asyncio.to_thread(self._outbox.waiting):
            if self._not_before.get(mail.id, 0) <= loop.time():
                await self._send(mail)
        left = self._not_before.values()
        return max(min(left) - loop.time(), 0.01) if left else None

    async def _send(self, mail: SentMail) -> None:
        self._not_before.pop(mail.id, None)
        try:
            refused = await asyncio.to_thread(self._server.send, mail)
        except Exception as error:  # a mail that cannot be sent at all must not hold up the others
            await self._failed(mail, error)
            return
        problem = f"refused for {', '.join(refused)}" if refused else None
        await asyncio.to_thread(self._outbox.update, changed(mail, "sent", problem))

    async def _failed(self, mail: SentMail, error: Exception) -> None:
        is_final = _is_final(error) or mail.attempts + 1 >= MAX_ATTEMPTS
        outcome = changed(mail, "failed" if is_final else "waiting", str(error)[:500])
        await asyncio.to_thread(self._outbox.update, outcome)
        if is_final:
            logger.error("the mail %s to %s was not taken: %s", mail.id, ", ".join(mail.to), error)
            return
        pause_s = min(self._first_pause_s * 2 ** min(mail.attempts, 20), LONGEST_PAUSE_S)
        self._not_before[mail.id] = asyncio.get_running_loop().time() + pause_s
        logger.warning("the mail %s to %s waits %g s: %s", mail.id, ", ".join(mail.to), pause_s, error)


def _is_final(error: Exception) -> bool:
    """Whether the server will never take the mail."""
    if isinstance(error, smtplib.SMTPNotSupportedError) or not isinstance(error, OSError):
        return True  # it cannot be said in SMTP
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return (
        isinstance(error, smtplib.SMTPResponseException)
        and error.smtp_code >= 500
        and not isinstance(error, smtplib.SMTPAuthenticationError)
    )
