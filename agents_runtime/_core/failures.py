"""What a client may read of an exception: its message, never its traceback."""

from __future__ import annotations

from agents_runtime._core.wire import UNKNOWN_ERROR
from agents_runtime.errors import AgentError

_TRACEBACK = "Traceback (most recent call last)"
MAX_ERROR_CHARS = 2_000
"""An error text is for people; longer ones are cut."""


def public_text(error: BaseException, *, is_redacted: bool = False) -> str:
    """The text of `error` for a client.

    Args:
        error: what was raised.
        is_redacted: tell only what the library's own errors and `RpcError` say, and nothing of any other exception.
    """
    if isinstance(error, AgentError):
        text = error.public_message
    elif is_redacted:
        return UNKNOWN_ERROR
    else:
        text = str(error)
    if _TRACEBACK in text:
        # An exception of another object arrives as its whole traceback; the last line is the message.
        text = text.rstrip().rpartition("\n")[2].strip()
        kind, colon, message = text.partition(": ")
        text = message if colon and kind.replace(".", "").replace("_", "").isalnum() else UNKNOWN_ERROR
    return text[:MAX_ERROR_CHARS] or UNKNOWN_ERROR


def debug_text(error: BaseException) -> str:
    """The whole traceback. For development only."""
    import traceback

    return "".join(traceback.format_exception(error))
