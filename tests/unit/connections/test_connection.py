"""One connection: what is kept with its socket, what it sends, what it keeps back."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime.connections.connection import Connection, NotAccepted, frame_of
from agents_runtime.connections.handshake import parse_query
from agents_runtime.errors import NotJson, SocketClosed, UsageError


class Socket:
    def __init__(self, attachment=None):
        self.attachment = attachment
        self.is_open = True
        self.sent = []
        self.closed = None

    def send(self, data):
        if not self.is_open:
            raise SocketClosed
        self.sent.append(data)

    def close(self, code=1000, reason=""):
        self.is_open = False
        self.closed = (code, reason)

    def read_attachment(self):
        return self.attachment

    def write_attachment(self, text):
        if len(text) > 200:
            raise ValueError("too large")
        self.attachment = text


def connected(**flags):
    connection = Connection("agent", "me", "http://x/?_pk=me", ["me", "red"])
    socket: Any = Socket()
    connection.attach(socket)
    vars_of = {"is_readonly": False, "sends_protocol": True, **flags}
    for name, value in vars_of.items():
        setattr(connection, name, value)
    return connection, socket


def test_what_is_kept_has_the_javascript_keys():
    connection, socket = connected()
    connection.set_state({"a": (1, 2.0)})
    assert json.loads(socket.attachment) == {
        "__pk": {"id": "me", "tags": ["me", "red"], "uri": "http://x/?_pk=me"},
        "__user": {"a": [1, 2]},
    }
    assert connection.state == {"a": [1, 2]}


def test_everything_comes_back():
    connection, socket = connected(is_readonly=True, sends_protocol=False)
    connection.set_state("mine")
    back = Connection.restored("agent", socket)
    assert back is not None
    assert (back.id, back.uri, back.tags, back.state) == ("me", "http://x/?_pk=me", ["me", "red"], "mine")
    assert (back.is_readonly, back.sends_protocol) == (True, False)
    assert (back.scope.agent, back.scope.connection) == ("agent", back)
    back.send("hello")
    assert socket.sent == ["hello"]


@pytest.mark.parametrize(
    "attachment", [None, "", "{}", "null", "[1]", "{broken", '{"other":1}', '{"__pk":5}', '{"__pk":{}}']
)
def test_a_socket_that_is_not_ours_is_no_connection(attachment):
    socket: Any = Socket(attachment)
    assert Connection.restored("agent", socket) is None


def test_state_by_function_sees_the_old_one():
    connection, _ = connected()
    assert connection.set_state(lambda old: [old]) == [None]
    assert connection.set_state(lambda old: [*old, 1]) == [None, 1]


def test_a_refused_state_leaves_the_old_one():
    connection, _ = connected()
    connection.set_state("old")
    with pytest.raises(NotJson, match=r"connection\.state\.a is a set"):
        connection.set_state({"a": {1}})
    with pytest.raises(UsageError, match="must fit into 16,384 bytes"):
        connection.set_state("x" * 300)
    assert connection.state == "old"


def test_frames_kept_back_are_sent_in_order_or_not_at_all():
    connection, socket = connected()
    connection.hold()
    connection.send("one")
    connection.send(b"two")
    connection.send({"three": 3})
    assert socket.sent == []
    connection.release()
    connection.release()
    connection.send("four")
    assert socket.sent == ["one", b"two", '{"three":3}', "four"]

    connection, socket = connected()
    connection.hold()
    connection.send("never")
    connection.turn_away(1011, "no")
    connection.release()
    assert (socket.sent, socket.closed, socket.attachment) == ([], (1011, "no"), "{}")


def test_closing_sends_first_what_was_kept_back():
    connection, socket = connected()
    connection.hold()
    connection.send("sorry")
    connection.close(4000, "bye")
    assert (socket.sent, socket.closed) == (["sorry"], (4000, "bye"))
    with pytest.raises(SocketClosed):
        connection.send("late")
    assert connection.ready_state == 3


def test_before_the_accept_nothing_can_be_done():
    connection = Connection("agent", "me", None, ["me"])
    assert not connection.is_open
    for act in (lambda: connection.send("x"), lambda: connection.close(), lambda: connection.set_state(1)):
        with pytest.raises(NotAccepted):
            act()


@pytest.mark.parametrize(
    ("message", "frame"),
    [("x", "x"), (b"x", b"x"), (bytearray(b"x"), b"x"), ({"a": 1.0}, '{"a":1}'), (SimpleNamespace, None), ([1], None)],
)
def test_messages(message, frame):
    if frame is None:
        with pytest.raises(UsageError, match="a message is"):
            frame_of(message)
    else:
        assert frame_of(message) == frame


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("http://x/a", {}),
        ("http://x/a?", {"": ""}),
        ("http://x/a?_pk=me&x=1", {"_pk": "me", "x": "1"}),
        ("http://x/a?_pk=me&_pk=you", {"_pk": "me"}),
        ("http://x/a?_pk=a%20b+c&y", {"_pk": "a b c", "y": ""}),
        ("http://x/a?_pk=me#fragment?_pk=you", {"_pk": "me"}),
        ("http://x/a?p%6B=%F0%9F%A6%8A", {"pk": "🦊"}),
    ],
)
def test_queries(url, query):
    assert parse_query(url) == query
