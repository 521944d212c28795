"""The mail room of a host: takes mails in for the worker, and keeps what it sends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents_runtime.local.config_mail import SendEmailBinding
    from agents_runtime.local.host import Host
    from agents_runtime.local.mail.message import ForwardableEmailMessage
    from agents_runtime.local.mail.outbox import Kind, Outbox, SentMail

NO_HANDLER = (
    "this worker takes no e-mail: define `async def email(self, message)` in its Default class, or a function "
    "`on_email(message, env, ctx)` in its main module"
)


class MailRoom:
    """E-mail of one host.

    Attributes:
        entrypoint: the worker's `Default` class; its `email` handler takes mails.
        handler: a function `(message, env, ctx)` instead.
        relays: whether what is sent waits for the SMTP relay, or is kept only.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.entrypoint: Any = None
        self.handler: Any = None
        self.relays = False
        self._outbox: Outbox | None = None
        self._kept = 0

    @property
    def outbox(self) -> Outbox:
        """What the worker sent."""
        if self._outbox is None:
            from agents_runtime.local.mail.outbox import DiskOutbox, MemoryOutbox

            options = self.host.options
            self._outbox = (
                MemoryOutbox()
                if options.data is None
                else DiskOutbox(options.data / "outbox", is_synced=options.durability == "power")
            )
        return self._outbox

    @outbox.setter
    def outbox(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def set_up(self, bindings: Iterable[SendEmailBinding], handler: Any = None) -> None:
        """Define the bindings in the environment, and the function that takes mails, if the main module has one."""
        self.handler = handler if callable(handler) else None
        for binding in bindings:
            self.bind(binding)

    def bind(self, binding: SendEmailBinding) -> None:
        """Define a binding in the environment."""
        from agents_runtime.local.mail.binding import SendEmail

        self.host.env.define(binding.name, SendEmail(self, binding))

    @property
    def takes_mail(self) -> bool:
        """Whether the worker has a handler for mails."""
        return self.handler is not None or callable(getattr(self.entrypoint, "email", None))

    def receive(self, sender: str, recipient: str, raw: bytes) -> ForwardableEmailMessage:
        """A mail as the worker gets it."""
        from agents_runtime.local.mail.message import ForwardableEmailMessage

        return ForwardableEmailMessage(sender, recipient, raw, self.keep)

    async def deliver(self, message: ForwardableEmailMessage) -> None:
        """Give a mail to the worker. It is acknowledged when this returns; raises what the handler raised.

        Raises:
            UsageError: the worker has no handler.
        """
        from agents_runtime.local.environment import ExecutionContext

        if not self.takes_mail:
            raise UsageError(NO_HANDLER)
        host = self.host
        context = ExecutionContext(host)
        host.enter_worker()
        if self.handler is not None:
            await self.handler(message, host.env, context)
        else:
            await self.entrypoint(context, host.env).email(message)

    async def keep(self, kind: Kind, sender: str, recipients: tuple[str, ...], raw: bytes) -> SentMail:
        """Put a mail into the outbox; other work goes on while the disk is waited for."""
        from agents_runtime._core.ids import nanoid
        from agents_runtime.local.mail.outbox import SentMail

        host = self.host
        now_ms = host.clock.now_ms()
        self._kept = (self._kept + 1) % 1_000_000
        mail_id = f"{now_ms:013d}-{self._kept:06d}-{nanoid(host.entropy.random_bytes, 8)}"
        mail = SentMail(mail_id, kind, sender, recipients, now_ms, raw, "waiting" if self.relays else "kept")
        if self.outbox.is_synced:
            await asyncio.to_thread(self.outbox.add, mail)
        else:
            self.outbox.add(mail)
        return mail

    async def committed(self) -> None:
        """Wait until what the running object wrote is committed."""
        from agents_runtime.local.life import current_life

        life = current_life.get()
        if life is not None:
            await life.output.committed()
