"""A `send_email` binding: checks what the wrangler file allows, then puts the mail into the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents_runtime.email.addresses import bare_address, checked_address
from agents_runtime.email.headers import EmailHeaders, message_ids
from agents_runtime.email.parsing import header_pairs
from agents_runtime.local.mail.builder import build
from agents_runtime.local.mail.message import EmailMessage, as_mapping
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from agents_runtime.local.config_mail import SendEmailBinding
    from agents_runtime.local.mail.room import MailRoom


class SendEmail:
    """What `env.NAME` is for a `send_email` binding."""

    def __init__(self, room: MailRoom, config: SendEmailBinding) -> None:
        self._room = room
        self._config = config

    async def send(self, message: Any) -> dict[str, str]:
        """Send a mail: a dict with `from`, `to`, `subject`, `text` or `html`, or an `EmailMessage`.

        It leaves after the writes that the object made before are committed, and is in the outbox for good when this
        returns: the answer is `{"messageId": ...}`.
        """
        if isinstance(message, EmailMessage):
            raw = await message.content()
            sender = checked_address(message.from_, "from")
            recipients: tuple[str, ...] = (checked_address(message.to, "to"),)
            headers = EmailHeaders(header_pairs(raw))
            ids = message_ids(headers.get("message-id"))
            if not ids:
                raise JsException("Error", "invalid message-id")
            if bare_address(headers.get("from", "")).lower() != sender.lower():
                raise JsException("Error", "From: header does not match mail from")
            message_id = ids[0]
        else:
            host = self._room.host
            sender, recipients, message_id, raw = build(as_mapping(message), host.entropy, host.clock.now_ms())
        self._check(sender, recipients)
        await self._room.committed()
        await self._room.keep("send", sender, recipients, raw)
        return {"messageId": message_id}

    def _check(self, sender: str, recipients: tuple[str, ...]) -> None:
        config = self._config
        allowed = config.destinations if config.destination is None else (config.destination,)
        for recipient in recipients:
            if allowed is not None and recipient not in allowed:
                raise JsException("Error", f"email to {recipient} not allowed")
        if config.senders is not None and sender not in config.senders:
            raise JsException("Error", f"email from {sender} not allowed")
