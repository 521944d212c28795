"""AgentEmail: the mail that `on_email` is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json
from agents_runtime.email.addresses import checked_address, checked_headers
from agents_runtime.email.errors import InvalidMail
from agents_runtime.email.headers import LOOP_HEADER, EmailHeaders, is_auto_reply_email, message_ids
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from email.message import EmailMessage

Ask = Callable[[dict[str, object]], Awaitable[Json]]
"""Has the worker that received the mail do something with it."""

MAX_REASON_CHARS = 400
MAX_FORWARDS = 20


class AgentEmail:
    """A mail, as an agent gets it. `forward`, `reply` and `set_reject` work until `on_email` returns.

    Sender and recipient are those of the envelope: where the mail really came from and went to. What stands in its
    `From` and `To` fields anybody can write. The content is read when something first asks for it.

    Attributes:
        from_: the sender, to whom an answer goes; empty for bounces.
        to: the recipient.
        headers: the header fields, by name in any case.
        raw_size: how many bytes it has.
        is_secure: whether a signature proved that it answers a mail of this agent.
    """

    def __init__(
        self, from_: str, to: str, headers: EmailHeaders, raw: bytes, *, agent_name: str, is_secure: bool, ask: Ask
    ) -> None:
        self.from_ = from_
        self.to = to
        self.headers = headers
        self.raw_size = len(raw)
        self.is_secure = is_secure
        self._agent_name = agent_name
        self._raw = raw
        self._ask = ask
        self._forwards = 0
        self._is_over = False
        self._reason: str | None = None

    # What it says

    async def get_raw(self) -> bytes:
        """Return the whole mail, as it was received."""
        return self._raw

    @cached_property
    def message(self) -> EmailMessage:
        """The mail as the standard library's `EmailMessage`, for attachments and all else.

        Raises:
            MailTooComplex: it is larger or more nested than is parsed.
        """
        from agents_runtime.email.parsing import parse

        return parse(self._raw)

    @cached_property
    def subject(self) -> str:
        """The subject, decoded; empty when there is none."""
        from agents_runtime.email.parsing import readable_header

        return readable_header(self.headers.get("subject"))

    @cached_property
    def text(self) -> str | None:
        """The body as plain text; None when it has none. Raises MailTooComplex."""
        from agents_runtime.email.parsing import text_body

        return text_body(self.message, "plain")

    @cached_property
    def html(self) -> str | None:
        """The body as HTML; None when it has none. Raises MailTooComplex. Never show it unchecked in a page."""
        from agents_runtime.email.parsing import text_body

        return text_body(self.message, "html")

    @property
    def message_id(self) -> str | None:
        """The mail's own id, with angle brackets; None when it has none. A repeated delivery has the same."""
        found = message_ids(self.headers.get("message-id"))
        return found[0] if found else None

    @property
    def is_auto_reply(self) -> bool:
        """Whether a machine wrote it, or nobody can be answered. `reply_to_email` then sends nothing."""
        return not self.from_.strip("<> ") or is_auto_reply_email(self.headers)

    # What becomes of it

    @property
    def reject_reason(self) -> str | None:
        """What `set_reject` was given."""
        return self._reason

    def set_reject(self, reason: str) -> None:
        """Refuse the mail when `on_email` returns; the sender's server is told the reason."""
        self._check_open()
        self._reason = "".join(char if char.isprintable() else " " for char in str(reason))[:MAX_REASON_CHARS]

    async def forward(self, recipient: str, headers: Mapping[str, str] | None = None) -> Json:
        """Pass the mail on unchanged. The writes made so far are committed before.

        Args:
            recipient: an address; on Workers one that is verified there.
            headers: fields to add; their names begin with `X-`, as the platform has it.

        Raises:
            UsageError: it would come back here at once, or too many were forwarded.
            RemoteError: the platform refused.
        """
        address = checked_address(recipient, "recipient")
        own = checked_headers(headers)
        for name in own:
            if not name.lower().startswith("x-"):
                raise InvalidMail(f"header {name}", "cannot be added to a forwarded mail: names begin with X-")
        if address.lower() == self.to.lower():
            raise UsageError(f"the mail came to {address}: forwarding it there would go round in circles")
        self._forwards += 1
        if self._forwards > MAX_FORWARDS:
            raise UsageError(f"one mail is forwarded at most {MAX_FORWARDS} times")
        return await self._act("forward", recipient=address, headers={LOOP_HEADER: self.to, **own})

    async def reply(self, *, from_: str, to: str, raw: str | bytes) -> Json:
        """Send a mail in answer, ready-made. `reply_to_email` makes one for you.

        The writes made so far are committed before it leaves. It must name this mail in `In-Reply-To`, and go to its
        sender: the platform refuses others, and a second answer.

        Raises:
            RemoteError: the platform refused.
        """
        sender, recipient = checked_address(from_, "from_"), checked_address(to, "to")
        content = raw.encode() if isinstance(raw, str) else bytes(raw)
        return await self._act("reply", sender=sender, recipient=recipient, raw=content)

    async def _act(self, action: str, **details: object) -> Json:
        self._check_open()
        return await self._ask({"action": action, **details})

    def _check_open(self) -> None:
        if self._is_over:
            raise UsageError("on_email has returned, so the mail cannot be answered any more: send a new one")

    def _end(self) -> None:
        self._is_over = True

    def __repr__(self) -> str:
        return f"<AgentEmail from {self.from_!r} to {self.to!r}, {self.raw_size} bytes>"
