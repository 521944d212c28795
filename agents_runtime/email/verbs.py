"""What an agent offers for e-mail: a hook for what comes in, and verbs for what goes out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from agents_runtime._core.capability import DONE
from agents_runtime.context import CURRENT

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime._core.jsonx import Json
    from agents_runtime.email.agent_email import AgentEmail
    from agents_runtime.email.outbound import Sender

logger = logging.getLogger("agents_runtime")

_UNSET: Any = object()


class EmailVerbs:
    """The verbs and the hook of e-mail."""

    __slots__ = ()

    if TYPE_CHECKING:
        _sender: capability[Sender]

    def on_email(self, email: AgentEmail, /) -> Any:  # noqa: ANN401 - sync or async, and nobody looks at the result
        """Handle a mail that `route_agent_email` brought. By default it is logged, and nothing else.

        The mail is acknowledged when this has returned and its writes are committed. When it raises, or the agent dies
        before that, the sender's server tries again, so the same mail may come twice: `email.message_id` tells.
        """
        logger.warning(
            "%s has no on_email; a mail from %r is dropped: %r", type(self).__name__, email.from_, email.subject
        )
        return DONE

    @overload
    async def reply_to_email(self, email: Mapping[str, object], /) -> str | None: ...
    @overload
    async def reply_to_email(
        self,
        email: AgentEmail,
        /,
        *,
        from_name: str = "",
        body: str | None = None,
        html: str | None = None,
        subject: str | None = None,
        content_type: str = "text/plain",
        headers: Mapping[str, str] | None = None,
        secret: str | None = ...,
    ) -> str | None: ...
    async def reply_to_email(
        self,
        email: AgentEmail | Mapping[str, object],
        /,
        *,
        from_name: str = "",
        body: str | None = None,
        html: str | None = None,
        subject: str | None = None,
        content_type: str = "text/plain",
        headers: Mapping[str, str] | None = None,
        secret: str | None = _UNSET,
    ) -> str | None:
        """Answer a mail: `await self.reply_to_email(email, from_name="Desk", body="Thanks!")`, within `on_email`.

        Or `await self.reply_to_email({"text": "Thanks!"})`, which answers the mail being handled; keys are the names of
        the arguments, and `text`, `to`. The answer is in the thread of the mail and says that a machine wrote it. It
        leaves after the writes made so far are committed.

        Args:
            subject: by default `Re:` and the mail's own.
            html: beside or instead of `body`.
            headers: fields to add; `{"Auto-Submitted": "no"}` if a person wrote the answer.
            secret: signs the answer, so that what is sent back to it finds this agent again. Has to be given, perhaps
                as None, for a mail that was routed by its signature.

        Returns:
            The message id of the answer; None when nothing was sent, because a machine wrote the mail.

        Raises:
            InvalidMail: something in it cannot stand in a mail, such as a line break in a header.
            RemoteError: the platform refused to send it.
        """
        from agents_runtime.email.addresses import checked_headers
        from agents_runtime.email.compose import Reply
        from agents_runtime.email.outbound import UNSET, unfolded

        if isinstance(email, Mapping):
            current = CURRENT.get()
            handled = current.email if current.agent is self else None
            return await self._sender.reply(*unfolded(email, handled))
        reply = Reply(body, html, subject, content_type, from_name, checked_headers(headers))
        return await self._sender.reply(email, reply, UNSET if secret is _UNSET else secret)

    async def send_email(
        self,
        binding: Any,  # noqa: ANN401 - the platform's binding
        *,
        to: str | Mapping[str, str] | list[str] | list[Mapping[str, str]],
        from_: str | Mapping[str, str],
        subject: str,
        text: str | None = None,
        html: str | None = None,
        reply_to: str | Mapping[str, str] | None = None,
        cc: str | list[str] | None = None,
        bcc: str | list[str] | None = None,
        in_reply_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
    ) -> Json:
        """Send a mail: `await self.send_email(self.env.EMAIL, to="ada@example.com", from_=..., subject=..., text=...)`.

        It leaves after the writes made so far are committed. Nothing is repeated: if the agent dies while it sends,
        the mail may have left or not. To be sure, send in a task's step or in a queue item.

        Args:
            binding: a `send_email` binding of the wrangler file.
            to: an address, `Name <address>`, `{"email": ..., "name": ...}`, or a list of them.
            in_reply_to: the message id of the mail that this one follows.
            headers: fields to add.
            secret: signs the mail, so that an answer finds this agent: see `create_secure_reply_email_resolver`.

        Returns:
            What the platform says, such as `{"messageId": ...}`.

        Raises:
            InvalidMail: something in it cannot stand in a mail.
            RemoteError: the platform refused to send it.
        """
        from agents_runtime.email.outbound import Outgoing

        mail = Outgoing(to, from_, subject, text, html, reply_to, cc, bcc, in_reply_to, headers, secret)
        return await self._sender.send(binding, mail)
