"""From what tools return to results."""

from dataclasses import dataclass

import pytest

from agents_runtime.errors import NotJson, UsageError
from agents_runtime.mcp.tools.content import Audio, Image, Resource, ResourceLink, Text
from agents_runtime.mcp.tools.results import call_result, error_result


@dataclass
class Point:
    x: int
    y: float


def test_a_ready_result_goes_as_it_is():
    ready = {"content": [{"type": "text", "text": "x"}], "_meta": {"a": 1}, "isError": True}
    assert call_result(ready) == ready
    assert call_result({"content": [Image(b"x"), "y"]})["content"][1] == {"type": "text", "text": "y"}


@pytest.mark.parametrize(
    "value",
    [
        {"id": 1, "content": "buy milk"},
        {"path": "a.txt", "content": ["line", "line"]},
        {"content": [], "total": 0},
        {"content": None, "id": 2},
    ],
)
def test_a_value_with_a_field_named_content_loses_nothing(value):
    assert call_result(value)["structuredContent"] == value


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("hello", [{"type": "text", "text": "hello"}]),
        ("", [{"type": "text", "text": ""}]),
        (None, []),
        (Image(b"\x00"), [{"type": "image", "data": "AA==", "mimeType": "image/png"}]),
        (Audio(b"\x00", "audio/mp3"), [{"type": "audio", "data": "AA==", "mimeType": "audio/mp3"}]),
        (
            Resource("a:b", "text", "text/plain"),
            [{"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "text": "text"}}],
        ),
        (Resource("a:b", b"\x00"), [{"type": "resource", "resource": {"uri": "a:b", "blob": "AA=="}}]),
        (ResourceLink("a:b", "b"), [{"type": "resource_link", "uri": "a:b", "name": "b"}]),
        (
            ["see", Text("this", {"priority": 1})],
            [{"type": "text", "text": "see"}, {"type": "text", "text": "this", "annotations": {"priority": 1}}],
        ),
    ],
)
def test_content(value, content):
    assert call_result(value) == {"content": content}


def test_bytes_become_a_resource():
    (block,) = call_result(b"\x00")["content"]
    assert block["resource"]["blob"] == "AA=="


@pytest.mark.parametrize(
    ("value", "text", "structured"),
    [
        ({"a": 1}, '{"a":1}', {"a": 1}),
        ([1, "b"], '[1,"b"]', [1, "b"]),
        (42, "42", 42),
        (True, "true", True),
        (2.0, "2", 2),
        (Point(1, 2.5), '{"x":1,"y":2.5}', {"x": 1, "y": 2.5}),
    ],
)
def test_other_values_are_structured(value, text, structured):
    assert call_result(value) == {"content": [{"type": "text", "text": text}], "structuredContent": structured}


def test_what_has_no_form_is_refused():
    with pytest.raises(NotJson, match="the tool's result"):
        call_result({"a": {1, 2}})
    with pytest.raises(UsageError, match="no content"):
        call_result([Image(b"x"), 5])


def test_an_error():
    assert error_result("no") == {"content": [{"type": "text", "text": "no"}], "isError": True}
