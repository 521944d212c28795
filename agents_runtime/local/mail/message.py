"""What the worker's `email` handler is given here: the platform's names, and its refusals."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime.email.addresses import checked_address, checked_headers
from agents_runtime.email.headers import EmailHeaders, is_auto_reply_email, message_ids
from agents_runtime.email.parsing import header_pairs
from agents_runtime.errors import UsageError
from agents_runtime.local.shim.streams import ReadableStream
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from agents_runtime.local.mail.outbox import Kind, SentMail
    from agents_runtime.local.shim.header_map import HTTPMessageMapping

MAX_REFERENCES = 100

Keep = Callable[["Kind", str, "tuple[str, ...]", bytes], Awaitable["SentMail"]]
"""Puts a mail into the outbox."""


class EmailMessage:
    """A mail ready to be sent: envelope and content. `cloudflare:email` has the same on the platform."""

    def __init__(self, from_: str, to: str, raw: str | bytes | ReadableStream) -> None:
        self.from_ = from_
        self.to = to
        self.raw = raw

    async def content(self) -> bytes:
        """The mail as bytes."""
        if isinstance(self.raw, str):
            return self.raw.encode()
        if isinstance(self.raw, AsyncIterable):
            return b"".join([bytes(chunk) async for chunk in self.raw])
        return bytes(self.raw)


class ForwardableEmailMessage:
    """A received mail.

    Attributes:
        from_: the sender, by the envelope. JavaScript's name for it, `from`, is a keyword here.
        to: the recipient, by the envelope.
        rawSize: how many bytes it has.
        reason: what `setReject` was given.
    """

    def __init__(self, sender: str, recipient: str, raw: bytes, keep: Keep) -> None:
        self.from_ = sender
        self.to = recipient
        self.rawSize = len(raw)
        self.reason: str | None = None
        self.fields = header_pairs(raw)
        self._content = raw
        self._keep = keep
        self._stream: ReadableStream | None = None
        self._has_reply = False

    @property
    def headers(self) -> HTTPMessageMapping:
        """The header fields."""
        from agents_runtime.local.shim.headers import message

        return message([(name, value) for name, value in EmailHeaders(self.fields).pairs() if value.isprintable()])

    @property
    def raw(self) -> ReadableStream:
        """The mail itself, to be read once."""
        if self._stream is None:
            self._stream = ReadableStream([self._content])
        return self._stream

    def content(self) -> bytes:
        """The mail itself. Part of the host: the platform has `raw` alone."""
        return self._content

    def setReject(self, reason: str) -> None:
        """Refuse the mail."""
        self.reason = str(reason)

    async def forward(self, rcptTo: str, headers: Any = None) -> None:
        """Pass the mail on, with `X-` fields added."""
        recipient = checked_address(rcptTo, "rcptTo")
        added = checked_headers(dict(headers.items()) if headers is not None else None)
        if any(not name.lower().startswith("x-") for name in added):
            raise JsException("Error", "only X-* headers may be added to a forwarded mail")
        head = "".join(f"{name}: {value}\r\n" for name, value in added.items()).encode()
        await self._keep("forward", self.from_, (recipient,), head + self._content)

    async def reply(self, message: Any) -> None:
        """Answer the mail, once, under the rules of the platform."""
        raw = await message.content()
        self._check_reply(message.from_, message.to, EmailHeaders(header_pairs(raw)))
        self._has_reply = True
        try:
            await self._keep("reply", message.from_, (message.to,), raw)
        except Exception:
            self._has_reply = False
            raise

    def _check_reply(self, sender: str, recipient: str, reply: EmailHeaders) -> None:
        own = EmailHeaders(self.fields)
        problem = None
        if self._has_reply:
            problem = "the mail was answered already"
        elif is_auto_reply_email(own):
            problem = "Original email is not replyable"
        elif recipient.lower() != self.from_.lower():
            problem = f"a reply goes to the sender, {self.from_}"
        elif sender.lower() not in reply.get("from", "").lower():
            problem = "From: header does not match mail from"
        elif not message_ids(reply.get("message-id")):
            problem = "invalid message-id"
        elif "received" in reply:
            problem = "invalid headers set"
        problem = problem or _thread_problem(own, reply)
        if problem is not None:
            raise JsException("Error", problem)

    def __repr__(self) -> str:
        return f"<mail from {self.from_!r} to {self.to!r}, {self.rawSize} bytes>"


def _thread_problem(own: EmailHeaders, reply: EmailHeaders) -> str | None:
    original = message_ids(own.get("message-id"))
    references = message_ids(reply.get("references"))
    if original and message_ids(reply.get("in-reply-to")) != original[:1]:
        return "In-Reply-To does not match original Message-ID"
    if original and references and original[0] not in references:
        return "provided References header is invalid"
    if len(message_ids(own.get("references"))) >= MAX_REFERENCES:
        return f"the mail has {MAX_REFERENCES} References, which is too long a thread"
    return None


def as_mapping(value: object) -> Mapping[str, Any]:
    """What `send` was given, when it is no `EmailMessage`."""
    if isinstance(value, Mapping):
        return value  # pyright: ignore[reportUnknownVariableType] # the user's own mapping
    raise UsageError(f"send takes a dict with from, to, subject and text or html, not {type(value).__name__}")
