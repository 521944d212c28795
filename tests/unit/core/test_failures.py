"""What clients may read of an exception."""

from __future__ import annotations

import pytest

from agents_runtime._core.failures import debug_text, http_failure, public_text
from agents_runtime.errors import PeerError, RemoteError, RetryableError, RpcError, SqlError

REMOTE = 'Traceback (most recent call last):\n  File "/app/entry.py", line 3, in go\n    x()\n{last}\n'


@pytest.mark.parametrize(
    ("error", "text", "redacted"),
    [
        (ValueError("the detail"), "the detail", "Unknown error occurred"),
        (ValueError(), "Unknown error occurred", "Unknown error occurred"),
        (RpcError("for you"), "for you", "for you"),
        (PeerError("wrong"), "wrong", "wrong"),
        (SqlError("SELECT secret", ValueError("no such table")), "Storage error", "Storage error"),
        (Exception(REMOTE.format(last="ValueError: boom")), "boom", "Unknown error occurred"),
        (Exception(REMOTE.format(last="app.errors.Custom_Error: a: b")), "a: b", "Unknown error occurred"),
        (Exception(REMOTE.format(last="KeyboardInterrupt")), "Unknown error occurred", "Unknown error occurred"),
        (RemoteError(REMOTE.format(last="ValueError: boom")), "boom", "boom"),
    ],
)
def test_texts(error, text, redacted):
    assert public_text(error) == text
    assert public_text(error, is_redacted=True) == redacted


def test_long_texts_are_cut():
    assert len(public_text(ValueError("x" * 10_000))) == 2_000


def test_the_whole_story_is_there_for_development():
    try:
        raise ValueError("the detail")
    except ValueError as error:
        text = debug_text(error)
    assert "Traceback" in text
    assert "the detail" in text


@pytest.mark.parametrize(("wait_ms", "header"), [(None, "1"), (0, "1"), (1000, "1"), (1001, "2"), (60_000, "60")])
def test_a_request_that_may_be_tried_again_is_told_when(wait_ms, header):
    text, status, headers = http_failure(RetryableError("busy", wait_ms), is_debug=False)
    assert (text, status, headers["retry-after"]) == ("busy", 503, header)


def test_any_other_failed_request_is_told_nothing():
    text, status, headers = http_failure(ValueError("secret"), is_debug=False)
    assert (text, status, "retry-after" in headers) == ("Internal Server Error", 500, False)
    assert "secret" in http_failure(ValueError("secret"), is_debug=True)[0]
