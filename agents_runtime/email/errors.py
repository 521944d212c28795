"""What can be wrong with an e-mail."""

from __future__ import annotations

from agents_runtime.errors import PeerError, UsageError


class InvalidMail(UsageError):
    """Raised when an address, a header or another part of an outgoing mail cannot be sent as it is.

    Attributes:
        part: which part, such as `to` or `header X-Tag`.
        problem: what is wrong with it.
    """

    code = "invalid_mail"

    def __init__(self, part: str, problem: str) -> None:
        self.part = part
        self.problem = problem
        super().__init__(f"{part} {problem}")


class MailTooComplex(PeerError):
    """Raised when a received mail is larger or more nested than is parsed. Its raw bytes can still be read.

    Attributes:
        what: what there is too much of.
        limit: the most that is parsed.
    """

    code = "mail_too_complex"

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(f"the mail has more than {limit:,} {what} and is not parsed; get_raw() still gives its bytes")
