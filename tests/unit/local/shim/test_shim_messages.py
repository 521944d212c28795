"""Requests and responses as servers and hosts handle them, and what the errors say."""

from typing import Any

import pytest

from agents_runtime import stream_response
from agents_runtime.local import shim
from agents_runtime.local.shim import Blob, FormData, http
from agents_runtime.local.shim.content import BodyUsedError
from agents_runtime.local.shim.streams import ReadableStream

Request: Any = shim.Request  # so that a test may also pass what the types forbid
Response: Any = shim.Response

FIELDS = [("Host", "localhost:8787"), ("X-Tag", "a"), ("x-tag", "b"), ("Cookie", "s=1")]


async def counted(closed):
    try:
        yield b"one "
        yield b""
        yield "two"
        yield bytearray(b" three")
    finally:
        closed.append(True)


def test_a_request_from_the_network_shows_its_headers_in_one_spelling():
    request = Request.from_server("POST", "http://localhost:8787/x", FIELDS, b"body", {"colo": "FRA"})
    assert request.method == "POST"
    assert request.headers["X-TAG"] == "a, b"
    assert request.headers.keys() == ["cookie", "host", "x-tag"]
    assert request.cf.colo == "FRA"
    assert request.redirect == "manual"
    assert request.raw_headers() == FIELDS


async def test_a_request_body_can_arrive_in_chunks():
    closed: list[bool] = []
    request = Request.from_server("POST", "http://a/", [], counted(closed))
    assert request.is_streaming
    assert not request.body_used
    assert await request.text() == "one two three"
    assert request.body_used
    assert closed == [True]


async def test_json_of_a_chunked_request_is_read_whole():
    async def chunks():
        yield b'{"a": '
        yield b"[1]}"

    request = Request.from_server("POST", "http://a/", [("content-type", "application/json")], chunks())
    assert await request.json() == {"a": [1]}


def test_a_method_that_http_does_not_know_is_refused_when_it_is_read():
    request = Request.from_server("BREW", "http://a/", [])
    with pytest.raises(ValueError, match="BREW"):
        _ = request.method


async def test_a_clone_of_a_chunked_request_has_the_same_content():
    request = Request.from_server("PUT", "http://a/", FIELDS, counted([]), {"colo": "X"})
    copy = request.clone()
    assert await copy.text() == "one two three"
    assert await request.text() == "one two three"
    assert (copy.method, copy.headers.items(), copy.cf.colo) == ("PUT", request.headers.items(), "X")


async def test_copying_a_request_replaces_only_what_is_given():
    request = Request.from_server("POST", "http://a/x", FIELDS, b"body")
    copy = Request(request, method="PATCH", headers={"only": "this"})
    assert (copy.method, copy.url, copy.headers.items()) == ("PATCH", "http://a/x", [("only", "this")])
    assert await copy.bytes() == b"body"
    with pytest.raises(BodyUsedError):
        await request.bytes()


async def test_the_javascript_side_of_a_request_shares_its_body():
    request = Request("http://a/", method="POST", body="x")
    same = Request(request.js_object)
    assert await same.text() == "x"
    assert request.body_used
    with pytest.raises(ValueError, match="takes no options"):
        Request(same.js_object, method="GET")
    with pytest.raises(TypeError, match="of a Response"):
        Request(Response().js_object)
    with pytest.raises(AttributeError, match="no JavaScript on CPython"):
        _ = request.js_object.headers


def test_errors_name_what_is_wrong():
    with pytest.raises(TypeError, match=r"'x-a'.*line break"):
        Response("x", headers={"x-a": "1\r\nSet-Cookie: stolen=1"})
    with pytest.raises(TypeError, match="'a b'"):
        Response("x", headers={"a b": "1"})
    with pytest.raises(TypeError, match=r"list\(it\.headers\.items\(\)\)"):
        Response("x", headers=Response("y").headers)
    with pytest.raises(TypeError, match="'mode_'"):
        Request("http://a/", mode_="cors")
    with pytest.raises(TypeError, match=r"https://example\.com"):
        Request("/agents/counter/a")
    with pytest.raises(ValueError, match="web_socket="):
        Response(None, status=101)
    with pytest.raises(TypeError, match=r"blob\.bytes\(\)"):
        Response(Blob("x"))
    with pytest.raises(TypeError, match="status_text"):
        Response("x", status_text="a\r\nb")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_no_header_value_can_end_its_line(value):
    with pytest.raises(TypeError):
        Response("x", headers=[("a", value)])
    with pytest.raises(TypeError):
        Request("http://a/", headers={"a": value})
    with pytest.raises(TypeError):
        http.with_headers(Response("x"), {"a": value})
    with pytest.raises(TypeError):
        Response.json({}, headers={"a": value})


def test_a_websocket_response_carries_its_socket():
    socket = object()
    response = Response(None, status=101, web_socket=socket)
    assert (response.status, response.web_socket) == (101, socket)
    assert Response(None, web_socket=socket).status == 101
    with pytest.raises(ValueError, match="101"):
        Response(None, status=200, web_socket=socket)
    with pytest.raises(TypeError, match="cannot be cloned"):
        response.clone()
    assert Response(response.js_object).web_socket is socket


def test_set_cookie_is_kept_apart_on_its_way_out():
    response = Response("x", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "x")])
    assert response.raw_headers() == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("vary", "x"),
        ("content-type", "text/plain;charset=UTF-8"),
    ]
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_what_a_server_does_to_raw_headers_stays_with_the_server():
    Response("x").raw_headers().append(("leak", "1"))
    assert "leak" not in Response("y").headers


@pytest.mark.parametrize(
    ("body", "sent"),
    [("é", b"\xc3\xa9"), (b"\0\xff", b"\0\xff"), (None, None), ("", b"")],
)
def test_a_whole_body_goes_out_as_bytes(body, sent):
    response = Response(body)
    assert not response.is_streaming
    assert response.take_body() == sent


def test_a_body_goes_out_once():
    response = Response("x")
    response.take_body()
    with pytest.raises(BodyUsedError):
        response.take_body()
    assert response.body_used


async def test_a_stream_goes_out_in_chunks_without_empty_ones():
    closed: list[bool] = []
    chunks = Response(ReadableStream(counted(closed))).take_body()
    assert [chunk async for chunk in chunks] == [b"one ", b"two", b" three"]
    assert closed == [True]


async def test_a_client_that_leaves_ends_the_stream():
    closed: list[bool] = []
    chunks = Response(ReadableStream(counted(closed))).take_body()
    assert await anext(chunks) == b"one "
    await chunks.aclose()
    assert closed == [True]


async def test_a_stream_that_was_never_started_ends_too():
    class Source:
        closed = False

        def __aiter__(self):
            return self

        async def __anext__(self):
            raise AssertionError("nobody asked")

        async def aclose(self):
            self.closed = True

    source = Source()
    await Response(ReadableStream(source)).take_body().aclose()
    assert source.closed


async def test_an_error_inside_a_stream_reaches_the_server():
    async def failing():
        yield b"x"
        raise KeyError("boom")

    chunks = Response(ReadableStream(failing())).take_body()
    assert await anext(chunks) == b"x"
    with pytest.raises(KeyError):
        await anext(chunks)


async def test_a_stream_of_something_else_is_refused():
    async def numbers():
        yield 5

    with pytest.raises(TypeError, match="int"):
        await Response(ReadableStream(numbers())).text()  # pyright: ignore[reportArgumentType] - wrong on purpose


async def test_a_form_goes_out_as_multipart():
    response = Response(FormData({"a": "1"}))
    assert response.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert (await response.form_data())["a"] == "1"


def test_responses_share_no_state():
    one, two = Response("x"), Response("x")
    one.take_body()
    assert not two.body_used


async def test_with_headers_replaces_and_keeps_the_rest():
    response = Response("x", status=201, headers=[("a", "1"), ("A", "2"), ("b", "3")])
    changed = http.with_headers(response, {"A": "new", "c": "4"})
    assert changed.status == 201
    assert [field for field in changed.raw_headers() if field[0] != "content-type"] == [
        ("b", "3"),
        ("a", "new"),
        ("c", "4"),
    ]
    assert await changed.text() == "x"


async def test_with_headers_neither_reads_a_stream_nor_drops_a_socket():
    stream = ReadableStream(counted([]))
    changed = http.with_headers(Response(stream), {"a": "1"})
    assert not stream.disturbed
    assert await changed.text() == "one two three"
    socket = object()
    assert http.with_headers(Response(None, status=101, web_socket=socket), {"a": "1"}).web_socket is socket


async def test_without_headers_takes_internal_ones_away_in_any_case():
    request = Request.from_server("POST", "http://a/", [("X-Internal", "1"), ("a", "2")], b"x", {"colo": "Q"})
    changed = http.without_headers(request, ["x-INTERNAL"])
    assert changed.headers.items() == [("a", "2")]
    assert (changed.method, changed.cf.colo) == ("POST", "Q")
    assert await changed.text() == "x"


def test_requests_and_responses_cross_remote_calls_as_they_are():
    from agents_runtime.local.shim import python_from_rpc, python_to_rpc

    response = Response("x")
    assert python_from_rpc(python_to_rpc(response)) is response
    assert python_from_rpc(response.js_object) is response
    with pytest.raises(TypeError):
        python_to_rpc({"a": (1, 2)})


async def test_an_async_generator_is_no_body_but_has_a_portable_way():
    async def chunks():
        yield "one "
        yield b"two"

    with pytest.raises(TypeError, match="stream_response"):
        Response(chunks())
    response = stream_response(chunks(), 201, {"Content-Type": "text/plain"})
    assert (response.status, response.headers["content-type"]) == (201, "text/plain")
    assert await response.text() == "one two"
    assert stream_response(chunks()).headers["content-type"] == "text/event-stream"
