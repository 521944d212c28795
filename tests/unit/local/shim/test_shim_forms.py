"""Forms and blobs: what is sent, what is read, what is refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.local.shim import Blob, File, FormData, Request, Response
from agents_runtime.local.shim.formdata import MAX_FIELDS, MAX_PART_HEADER_BYTES, parse

# What a name may hold and come back from the wire: no quotes, backslashes, line ends, or spaces at the ends.
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters='"\\'), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(NAMES, st.one_of(TEXTS, st.binary()))))
async def test_a_form_comes_back_as_it_was_sent(fields):
    form = FormData()
    for name, value in fields:
        form.append(name, value if isinstance(value, str) else File(value, "data.bin", "x/y"))
    received = await Response(form).form_data()
    assert [(name, value if isinstance(value, str) else await value.bytes()) for name, value in received.items()] == [
        (name, value) for name, value in fields
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_a_type_error(data):
    for content in (data, b"--X\r\n" + data, b"--X\r\n" + data + b"\r\n--X--"):
        with suppress(TypeError):
            parse(content, "multipart/form-data; boundary=X")
    parse(data, "application/x-www-form-urlencoded")


async def test_content_may_hold_what_looks_like_a_boundary():
    data = b'--X\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\nnot --X-- yet\r\n--X--'
    form: Any = parse(data, "multipart/form-data; boundary=X")
    assert await form["a"].bytes() == b"not --X-- yet"


def test_a_form_with_too_many_fields_is_refused():
    fits = "&".join("a=1" for _ in range(MAX_FIELDS))
    assert len(parse(fits.encode(), "application/x-www-form-urlencoded")) == MAX_FIELDS
    with pytest.raises(TypeError, match="more than"):
        parse((fits + "&a=1").encode(), "application/x-www-form-urlencoded")
    part = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    with pytest.raises(TypeError, match="more than"):
        parse(part * (MAX_FIELDS + 1) + b"--X--", "multipart/form-data; boundary=X")


def test_a_part_with_a_huge_header_is_refused():
    padding = b"X: " + b"x" * MAX_PART_HEADER_BYTES
    data = b'--X\r\nContent-Disposition: form-data; name="a"\r\n' + padding + b"\r\n\r\n1\r\n--X--"
    with pytest.raises(TypeError, match="too long"):
        parse(data, "multipart/form-data; boundary=X")


async def test_a_missing_form_is_a_type_error_with_a_hint():
    with pytest.raises(TypeError, match="multipart/form-data or"):
        await Request("http://a/", method="POST", body="a=1").form_data()


async def test_a_file_keeps_its_name_and_type():
    form = FormData({"upload": File(b"\x89PNG", "käse.png", "image/png")})
    received = (await Response(form).form_data())["upload"]
    assert isinstance(received, File)
    assert (received.name, received.content_type, await received.bytes()) == ("käse.png", "image/png", b"\x89PNG")


def test_names_cannot_break_out_of_their_header():
    body, _ = FormData({'a"\r\nX: y': File("x", 'f"\r\nX: y')}).encoded()
    assert b"\r\nX: y" not in body


def test_a_form_is_shared_with_its_javascript_side():
    form = FormData({"a": "1"})
    FormData(form.js_object)["a"] = "2"
    assert form["a"] == "2"


def test_mapping_methods_work():
    form = FormData({"a": "1"})
    form.update({"b": "2"})
    assert form.pop("a") == "1"
    assert list(form) == ["b"]
    form.clear()
    assert list(form.items()) == []


async def test_a_blob_is_made_of_parts():
    blob = Blob(["a", b"b", Blob("c"), File("d", "n").js_object, bytearray(b"e"), memoryview(b"f")], "Text/X")
    assert await blob.text() == "abcdef"
    assert (blob.size, blob.content_type) == (6, "text/x")
    assert await Response(blob.js_object).text() == "abcdef"
