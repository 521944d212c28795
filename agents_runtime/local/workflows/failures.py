"""How errors of user code look after they passed through the platform's engine, and how the journal keeps them."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from agents_runtime.errors import NonRetryableError
from agents_runtime.local.values import JsException
from agents_runtime.tasks.errors import RecoveryExhausted, StepTimedOut, ValueTooLarge
from agents_runtime.tasks.journal import MAX_ERROR_CHARS

if TYPE_CHECKING:
    from agents_runtime.tasks.errors import StepFailed

NON_RETRYABLE = "NonRetryableError"


class PythonError(Exception):
    """Stands for an exception of a step's function; its text is the traceback, as it is once it has left Python."""


class PlatformError(Exception):
    """Stands for an error of the platform that a step's function let through; its text is `name: message`."""


def leaving(error: Exception) -> Exception:
    """An exception of a step's function as the journal keeps it."""
    if type(error).__name__ == NON_RETRYABLE:
        return NonRetryableError(str(error))
    if isinstance(error, JsException):
        return PlatformError(str(error))
    return PythonError(trace(error)[-MAX_ERROR_CHARS:])


def arriving(step: str, error: StepFailed, timeout_ms: int) -> Exception:
    """The exception that the workflow's code sees when a step has failed for good."""
    from agents_runtime.local.shim.workflows import NonRetryableError as SdkNonRetryableError

    kind, text = error.error_name, error.error_message
    if kind == NON_RETRYABLE:
        return SdkNonRetryableError(text)
    if kind == StepTimedOut.__name__:
        return timed_out(timeout_ms)
    if kind == RecoveryExhausted.__name__:
        return JsException("WorkflowInternalError", f'An attempt of step "{step}" did not finish')
    if kind == ValueTooLarge.__name__:
        return JsException("WorkflowInternalError", f"Step {step} output is too large. Maximum allowed size is 1MiB.")
    if kind == PlatformError.__name__:
        name, _, message = text.partition(": ")
        return _plain(name, message)
    last = text.rstrip().rpartition("\n")[2]
    if last.startswith("TypeError"):
        return TypeError(last)
    return ValueError(last) if last.startswith("ValueError") else JsException(kind, text)


def _plain(name: str, message: str) -> Exception:
    if name == "RangeError":
        return ValueError(message)
    return TypeError(message) if name == "TypeError" else JsException(name, message)


def timed_out(timeout_ms: int) -> JsException:
    """The platform's error for what took too long."""
    return JsException("WorkflowTimeoutError", f"Execution timed out after {timeout_ms}ms")


def trace(error: BaseException) -> str:
    """The traceback of an exception."""
    return "".join(traceback.format_exception(error))
