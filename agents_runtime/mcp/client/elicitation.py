"""What a server may ask the agent for while it works: input of a person, by form or by a page to visit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from agents_runtime._core.jsonx import plain
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import McpError, Params
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND

ElicitationHandler = Callable[[dict[str, Any], str], "Awaitable[Mapping[str, Any]] | Mapping[str, Any]"]
"""Takes the parameters of the request and the id of the server; returns `{"action": ..., "content": ...}`."""

ACTIONS = ("accept", "decline", "cancel")
MAX_URL_CHARS = 2_048
MAX_ASKED = 32
"""The most that a result may ask for at once."""


class Elicitation:
    """The agent's handlers for one or both modes. They live in memory: set them in `on_start`.

    Args:
        call: calls a handler as the agent.
    """

    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self._call = call
        self.form: ElicitationHandler | None = None
        self.url: ElicitationHandler | None = None

    def capability(self) -> Params:
        """What a server is told; empty without handlers."""
        modes: Params = {}
        if self.form is not None:
            modes["form"] = {}
        if self.url is not None:
            modes["url"] = {}
        return {"elicitation": modes} if modes else {}

    async def answer(self, method: str, params: Params, server_id: str) -> Params:
        """Answer a request of a server.

        Raises:
            McpError: for the server, when nobody can answer.
        """
        if method == "ping":
            return {}
        if method != "elicitation/create":
            raise McpError(METHOD_NOT_FOUND, f"Method not found: {method[:100]}")
        mode = params.get("mode", "form")
        handler = {"form": self.form, "url": self.url}.get(mode) if isinstance(mode, str) else None
        if handler is None:
            raise McpError(INVALID_PARAMS, "this client answers no elicitation of that mode")
        if mode == "url":
            _check_page(params.get("url"))
        answer = plain(await self._call(handler, params, server_id), "the answer of the elicitation handler")
        if not isinstance(answer, dict) or answer.get("action") not in ACTIONS:
            raise UsageError(
                'an elicitation handler returns {"action": "accept", "content": {...}}, "decline" or "cancel"'
            )
        if answer["action"] == "accept" and mode == "form":
            return {**answer, "content": with_defaults(params.get("requestedSchema"), answer.get("content"))}
        return {"action": answer["action"]}

    async def answer_all(self, requests: Mapping[str, Any], server_id: str) -> Params:
        """Answer what a server lacks for its result, one after the other.

        Raises:
            McpError: something was asked for that this client never offered, or too much at once.
        """
        if len(requests) > MAX_ASKED:
            raise McpError(INTERNAL_ERROR, f"the server asks for {len(requests)} things at once, more than {MAX_ASKED}")
        answers: Params = {}
        for key, request in requests.items():
            fields = cast("Params", request) if isinstance(request, dict) else {}
            method, params = fields.get("method"), fields.get("params", {})
            if not isinstance(method, str) or not isinstance(params, dict):
                raise McpError(INTERNAL_ERROR, "the server asks for input with something that is no request")
            answers[key] = await self.answer(method, cast("Params", params), server_id)
        return answers


def with_defaults(schema: object, content: object) -> Params:
    """The content of a form; fields left out get the defaults of the schema."""
    given: Params = cast("Params", content) if isinstance(content, dict) else {}
    properties = cast("Params", schema).get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return given
    defaults = {
        name: cast("Params", field)["default"]
        for name, field in cast("Params", properties).items()
        if isinstance(field, dict) and "default" in field
    }
    return {**defaults, **given}


def _check_page(url: object) -> None:
    is_page = isinstance(url, str) and len(url) <= MAX_URL_CHARS and url.startswith(("https://", "http://"))
    if not is_page:
        raise McpError(INVALID_PARAMS, "the page to visit must be an http(s) URL")
