"""Answering a close, and binary messages from either platform."""

from __future__ import annotations

from typing import Any

import pytest

from agents_runtime.connections.traffic import Traffic, answer_close


class End:
    def __init__(self, error=None):
        self.error = error
        self.calls: list[tuple[int, str]] = []

    def close(self, code=1000, reason=""):
        self.calls.append((code, reason))
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("code", "answer"),
    [(1000, (1000, "bye")), (4001, (4001, "bye")), (1005, (1005, "")), (1006, (1005, "")), (1015, (1005, ""))],
)
def test_a_close_is_answered_with_its_own_code_where_that_can_be_sent(code, answer):
    end = End()
    answer_close(end, code, "bye")
    assert end.calls == [answer]


def test_a_broken_transport_is_nobodys_business():
    end = End(OSError("gone"))
    answer_close(end, 1000, "")
    assert len(end.calls) == 1


class ForeignBuffer:
    """A buffer of the platform that is no `bytes`."""

    def to_bytes(self):
        return b"\1\2"


@pytest.mark.parametrize(("message", "given"), [("text", "text"), (b"\0", b"\0"), (ForeignBuffer(), b"\1\2")])
async def test_messages_reach_the_user_as_text_or_bytes(message, given):
    class Hooks:
        got: list[Any] = []

        def on_message(self, connection, message):
            self.got.append(message)

    hooks: Any = Hooks()
    connection: Any = type("Connection", (), {"scope": object()})()
    nothing: Any = None
    traffic = Traffic(hooks, nothing, dict, nothing, nothing, nothing)
    await traffic.receive(connection, message)
    assert hooks.got == [given]
    assert type(hooks.got[0]) is type(given)
