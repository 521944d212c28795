"""The port's `Fetch` on the Worker's own `fetch`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Self

import js
from pyodide.ffi import JsException, to_js

from agents_runtime._platform.workers.values import jsnull
from agents_runtime.errors import FetchFailed

_NO_HEADERS: Mapping[str, str] = {}


class _Deadline:
    """Aborts a request when its time is over. The timer is one of JavaScript: no Python runs for it."""

    def __init__(self, seconds: float) -> None:
        self._controller = js.AbortController.new()
        self._ms = max(seconds, 0) * 1000
        self._timer: Any = None
        self.signal = self._controller.signal

    def __enter__(self) -> Self:
        self._timer = js.setTimeout(self._controller.abort.bind(self._controller), self._ms)
        return self

    def __exit__(self, *exc_info: object) -> None:
        js.clearTimeout(self._timer)

    def abort(self) -> None:
        """End the request and its answer now."""
        self._controller.abort()

    def failure(self, url: str, error: JsException) -> FetchFailed:
        """What went wrong."""
        if bool(self.signal.aborted):
            return FetchFailed(url, "no answer in time", is_timeout=True)
        return FetchFailed(url, error.message or error.name)


async def fetch_over_network(
    method: str, url: str, *, headers: Mapping[str, str] = _NO_HEADERS, body: bytes | None = None, timeout_s: float
) -> WorkersAnswer:
    """Send a request; see the port."""
    options: dict[str, Any] = {"method": method, "redirect": "manual"}
    if body is not None:
        options["body"] = to_js(body)
    deadline = _Deadline(timeout_s)
    init = js.Object.fromEntries(to_js(list(options.items())))
    init.headers = js.Object.fromEntries(to_js(list(headers.items())))
    init.signal = deadline.signal
    try:
        with deadline:
            answer = await js.fetch(url, init)
    except JsException as error:
        raise deadline.failure(url, error) from error
    return WorkersAnswer(answer, url, deadline)


class WorkersAnswer:
    """The port's `HttpAnswer`."""

    def __init__(self, answer: Any, url: str, deadline: _Deadline) -> None:
        self._url = url
        self._deadline = deadline
        self._reader = None if answer.body is None or answer.body is jsnull else answer.body.getReader()
        self.status = int(answer.status)
        self.headers: dict[str, str] = {str(name).lower(): str(value) for name, value in answer.headers}

    async def read(self, limit: int) -> bytes:
        found = bytearray()
        with self._deadline:
            async with aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    found += chunk
                    if len(found) > limit:
                        raise FetchFailed(self._url, f"the answer has more than {limit:,} bytes")
        return bytes(found)

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            while self._reader is not None:
                part = await self._reader.read()
                if part.done:
                    self._reader = None
                    return
                yield part.value.to_bytes()
        except JsException as error:
            raise self._deadline.failure(self._url, error) from error
        finally:
            await self.close()

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._deadline.abort()
