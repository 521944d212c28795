"""E-mail on Workers: the message of the `email` handler, and the `send_email` binding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import js
from pyodide.ffi import JsProxy, to_js
from workers import import_from_javascript

from agents_runtime._platform.ports import Envelope
from agents_runtime._platform.workers.values import from_json_value, to_json_value


class WorkersMail:
    """The port's `Mail`."""

    def read_envelope(self, message: Any) -> Envelope:
        headers = [(str(name), str(value)) for name, value in message.headers]
        return Envelope(str(js.Reflect.get(message, "from")), str(message.to), headers, int(message.rawSize))

    async def read(self, message: Any, limit_bytes: int) -> bytes:
        if int(message.rawSize) > limit_bytes:
            raise ValueError(f"the mail has more than {limit_bytes} bytes")
        buffer = await js.Response.new(message.raw).arrayBuffer()
        return bytes(buffer.to_bytes())

    def set_reject(self, message: Any, reason: str) -> None:
        message.setReject(reason)

    async def forward(self, message: Any, recipient: str, headers: Mapping[str, str]) -> None:
        await message.forward(recipient, js.Headers.new(to_json_value(dict(headers))))

    async def reply(self, message: Any, sender: str, recipient: str, raw: bytes) -> None:
        stream = js.Response.new(to_js(raw)).body
        made: Any = import_from_javascript("cloudflare:email").EmailMessage.new(sender, recipient, stream)
        await message.reply(made)

    async def send(self, binding: Any, fields: Mapping[str, Any]) -> Any:
        raw = binding if isinstance(binding, JsProxy) else getattr(binding, "_binding", binding)
        return from_json_value(await _sender_of(raw)(to_json_value(dict(fields))))


def _sender_of(binding: Any) -> Any:
    """The binding's own `send`.

    One that is a service seems to have every property, so Pyodide takes it for a generator and `send` for that of one;
    and what a call gives that can be awaited is no function any more. An array hands it over as it is.
    """
    if not hasattr(cast("object", type(binding)), "send"):
        return binding.send
    return js.Array.of(binding).map(js.Reflect.get.bind(None, binding, "send"))[0]
