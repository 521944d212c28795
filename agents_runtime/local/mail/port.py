"""The port's `Mail` on the local host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents_runtime._platform.ports import Envelope
from agents_runtime.local.mail.message import EmailMessage, ForwardableEmailMessage


class LocalMail:
    """How mails are received and sent here."""

    def read_envelope(self, message: ForwardableEmailMessage) -> Envelope:
        return Envelope(message.from_, message.to, message.fields, message.rawSize)

    async def read(self, message: ForwardableEmailMessage, limit_bytes: int) -> bytes:
        if message.rawSize > limit_bytes:
            raise ValueError(f"the mail has more than {limit_bytes} bytes")
        return message.content()

    def set_reject(self, message: ForwardableEmailMessage, reason: str) -> None:
        message.setReject(reason)

    async def forward(self, message: ForwardableEmailMessage, recipient: str, headers: Mapping[str, str]) -> None:
        await message.forward(recipient, headers)

    async def reply(self, message: ForwardableEmailMessage, sender: str, recipient: str, raw: bytes) -> None:
        await message.reply(EmailMessage(sender, recipient, raw))

    async def send(self, binding: Any, fields: Mapping[str, Any]) -> Any:
        return await binding.send(fields)
