"""What a client may read of an exception: its message, never its traceback."""

from __future__ import annotations

from agents_runtime._core.wire import UNKNOWN_ERROR
from agents_runtime.errors import AgentError, RetryableError

DESTROYED = "The agent was destroyed."
"""The reason with which an agent that was destroyed leaves memory. Whoever it was still serving sees it."""

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


def http_failure(error: BaseException, *, is_debug: bool) -> tuple[str, int, dict[str, str]]:
    """Text, status and headers of the answer to a request that failed: 503 when it may be tried again, else 500.

    Args:
        error: what was raised.
        is_debug: tell everything. For development only.
    """
    headers = {"content-type": "text/plain;charset=UTF-8"}
    if isinstance(error, RetryableError):
        wait_s = max(1, -(-(error.retry_after_ms or 0) // 1000))
        return error.public_message, 503, {**headers, "retry-after": str(wait_s)}
    return debug_text(error) if is_debug else "Internal Server Error", 500, headers


def just_destroyed() -> RetryableError:
    """What an event gets that meets an agent which is just being destroyed."""
    return RetryableError("The agent has just been destroyed; the next try finds a new one.")


def was_destroyed(error: BaseException) -> bool:
    """Whether an event failed because its agent was destroyed while it was handled."""
    return DESTROYED in str(error)
