"""The shim answers as the real SDK does.

`measured.jsonl` holds expressions and what they gave on workerd 1.20261117.1 with Pyodide 314.0.6 and
workers-runtime-sdk 1.9.5. `raises` names the family of the error: a JavaScript RangeError counts as ValueError.
`refused_here` marks what the platform accepts only by turning a Python object into a text nobody wants.
"""

import ast
import collections.abc
import inspect
import json
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from agents_runtime.local import shim

CASES = [json.loads(line) for line in Path(__file__).with_name("measured.jsonl").read_text().splitlines()]
ERRORS = {kind.__name__: kind for kind in (TypeError, ValueError, OSError, AttributeError, Exception)}


async def twice(read):
    return [await read(), await read()]


async def used(message):
    before = message.body_used
    await message.text()
    return before, message.body_used


async def after(message, first, second):
    await getattr(message, first)()
    result = getattr(message, second)()
    return await result if inspect.isawaitable(result) else result


async def copy_used():
    request = shim.Request("http://a/", method="POST", body="x")
    await request.text()
    return shim.Request(request).url


async def copy_req():
    request = shim.Request("http://a/", method="POST", body="x")
    copy = shim.Request(request)
    return request.body_used, await copy.text()


def mutate(response):
    response.headers["x"] = "y"
    return response.headers.items()


async def read_body(response):
    reader = response.body.getReader()
    chunks = []
    while not (result := await reader.read()).done:
        chunks.append(result.value.to_bytes())
    return chunks, response.body_used


async def read_iter(response):
    return [chunk.to_bytes() async for chunk in response.body]


async def locked(response):
    before = response.body.locked
    reader = response.body.getReader()
    during = response.body.locked
    try:
        response.body.getReader()
        outcome = "two"
    except TypeError:
        outcome = "refused"
    try:
        outcome += await response.text()
    except TypeError:
        outcome += " text refused"
    reader.releaseLock()
    return before, during, outcome, await response.text()


async def tee(response):
    one, two = response.body.tee()
    return (
        [chunk.to_bytes() async for chunk in one],
        [chunk.to_bytes() async for chunk in two],
        response.body_used,
    )


async def cancel(response):
    await response.body.cancel()
    return response.body_used


async def body_then_text(response):
    _ = response.body
    return response.body_used, await response.text()


async def partial(response):
    reader = response.body.getReader()
    await reader.read()
    reader.releaseLock()
    return response.body_used, await response.text()


async def clone_both(message):
    copy = message.clone()
    return await copy.text(), await message.text()


async def chunks_types(response):
    reader = response.body.getReader()
    first, last = await reader.read(), await reader.read()
    return (
        first.done,
        first.value.to_bytes(),
        bytes(first.value),
        last.done,
        last.value,
        hasattr(first.value, "to_py"),
    )


async def release_then_read(response):
    reader = response.body.getReader()
    reader.releaseLock()
    return (await reader.read()).done


async def cancel_reader(response):
    reader = response.body.getReader()
    await reader.cancel()
    return (await reader.read()).done


async def after_cancel(response):
    await response.body.cancel()
    return [chunk async for chunk in response.body]


async def after_cancel_text(response):
    await response.body.cancel()
    return await response.text()


async def reuse_stream():
    response = shim.Response("x")
    other = shim.Response(response.body)
    return await other.text(), response.body_used, other.body_used


async def reuse_locked():
    response: Any = shim.Response("x")
    response.body.getReader()
    return await shim.Response(response.body).text()


def fd_set():
    form = shim.FormData({"a": "1"})
    form.append("b", "9")
    form.append("a", "2")
    form["a"] = "3"
    form["z"] = "q"
    del form["b"]
    form.delete("nope")
    del form["nope"]
    return list(form.items()), "a" in form, "nope" in form, form.get_all("a"), form.get_all("nope")


def fd_append():
    form = shim.FormData()
    form.append("a", "1")
    form.append("a", "2")
    return list(form.items()), form["a"]


def describe(blob):
    changed = getattr(blob, "last_modified", 0)
    when = getattr(blob, "last_modified", None) if changed < 100 else "now"
    return type(blob).__name__, getattr(blob, "name", None), blob.content_type, blob.size, when


def fd_filename(value, name):
    form = shim.FormData()
    form.append("k", value, name)
    return form["k"] if isinstance(form["k"], str) else describe(form["k"])


async def multipart(form):
    response = shim.Response(form)
    boundary = response.headers["content-type"].split("boundary=")[1].strip('"')
    return (await response.text()).replace(boundary, "BOUNDARY")


async def form(content_type, data):
    headers = {"content-type": content_type} if content_type else {}
    request = shim.Request("http://a/", method="POST", body=data, headers=headers)
    fields = await request.form_data()
    return [(k, v if isinstance(v, str) else (describe(v), await v.bytes())) for k, v in fields.items()]


NAMES = {
    **{name: getattr(shim, name) for name in shim.__all__},
    **{name: value for name, value in globals().items() if not name.startswith("_")},
    "collections": collections,
    "HTTPMethod": HTTPMethod,
    "HTTPStatus": HTTPStatus,
}


async def outcome_of(expression):
    value = eval(compile(expression, "<case>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), dict(NAMES))
    return await value if inspect.iscoroutine(value) else value


@pytest.mark.parametrize("case", CASES, ids=[case["expression"][:70] for case in CASES])
async def test_answers_as_measured_on_the_platform(case):
    if case.get("refused_here"):
        with pytest.raises(TypeError):
            await outcome_of(case["expression"])
    elif "raises" in case:
        with pytest.raises(ERRORS[case["raises"]]):
            await outcome_of(case["expression"])
    else:
        assert repr(await outcome_of(case["expression"])) == case["platform"]
