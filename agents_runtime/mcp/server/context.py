"""What a tool, prompt or resource knows about the call it answers, and may ask for meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime._core.capability import DONE, Done
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import McpError, Request, is_id
from agents_runtime.mcp.protocol.versions import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LOG_LEVELS,
    MISSING_CLIENT_CAPABILITY,
    PROGRESS_TOKEN_KEY,
    is_severe_enough,
)
from agents_runtime.mcp.server.asking import Ask, Elicited, InputNeeded
from agents_runtime.mcp.server.caller import NO_WAY_BACK, Caller, Outbound, no_way_back
from agents_runtime.mcp.server.subscriptions import Changes

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.protocol.messages import Params
    from agents_runtime.mcp.server.auth import AuthInfo

Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class McpContext:
    """The call that is being answered. Annotate a parameter of a tool, prompt or resource with it to get it.

    A question (`elicit`, `sample`, `list_roots`, `ask`) works in both eras of the protocol. A legacy client with a
    session is asked while the function waits. A modern client gets the question as the answer and calls again: the
    function then **runs again from its beginning**, and the question returns at once. So ask first and act after the
    last question, and keep what must not be repeated with `remember`.

    Attributes:
        request: the request that is being answered.
        caller: who asks.
        changes: tell clients that lists or resources have changed.
    """

    agents_mcp_context = True

    __slots__ = ("_answers", "_asked", "_remembered", "_was_cancelled", "_way_back", "caller", "changes", "request")

    def __init__(self, request: Request, caller: Caller, way_back: Outbound, changes: Changes) -> None:
        self.request = request
        self.caller = caller
        self.changes = changes
        self._was_cancelled = False
        self._way_back = way_back
        self._answers: Params = {}
        self._remembered: Json = None
        self._asked = 0

    @staticmethod
    def alone() -> McpContext:
        """A context for a tool that is called from Python: nobody can be asked or told anything."""
        return McpContext(Request(0, "tools/call", {}), Caller(), NO_WAY_BACK, Changes())

    @property
    def auth(self) -> AuthInfo | None:
        """What is known about the caller's authorization, or None."""
        return self.caller.auth

    @property
    def meta(self) -> Params:
        """The `_meta` of the request; yours to read, whatever the client put there."""
        return self.request.meta

    @property
    def is_cancelled(self) -> bool:
        """Whether the client gave up. The function is cancelled then where it waits, as any task is."""
        task = asyncio.current_task()
        return self._was_cancelled or (task is not None and task.cancelling() > 0)

    def cancelled(self) -> None:
        """Take note that the client gave up. For the server."""
        self._was_cancelled = True

    def progress(self, progress: float, total: float | None = None, message: str | None = None) -> Done:
        """Tell the client how far this is, if it asked to be told. `progress` must rise."""
        token = self.meta.get(PROGRESS_TOKEN_KEY)
        if is_id(token):
            params: Params = {"progressToken": token, "progress": progress}
            if total is not None:
                params["total"] = total
            if message is not None:
                params["message"] = message
            self._way_back.notify("notifications/progress", params)
        return DONE

    def log(self, level: Level, data: Json, logger: str | None = None) -> Done:
        """Send the client a log message, if it wants messages of this severity. `data` is a text or other JSON."""
        if level not in LOG_LEVELS:
            raise UsageError(f"level is one of {', '.join(LOG_LEVELS)}, not {level!r}")
        wanted = self.caller.log_level
        if (wanted is None and not self.caller.is_modern) or (wanted is not None and is_severe_enough(level, wanted)):
            named = {} if logger is None else {"logger": logger}
            self._way_back.notify("notifications/message", {"level": level, **named, "data": data})
        return DONE

    async def elicit(self, message: str, schema: Mapping[str, Any] | type, *, key: str | None = None) -> Elicited:
        """Ask the user to fill in a form; see `Ask.form` for the schema, and `ask` for errors."""
        return cast("Elicited", await self._ask_one(Ask.form(message, schema), key))

    async def elicit_url(self, message: str, url: str, elicitation_id: str, *, key: str | None = None) -> Elicited:
        """Ask the user to open a page. That it was accepted does not mean that they are done there."""
        return cast("Elicited", await self._ask_one(Ask.url(message, url, elicitation_id), key))

    async def sample(
        self,
        messages: str | Sequence[Any],
        *,
        max_tokens: int = 1000,
        key: str | None = None,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> Params:
        """Ask the client's model; see `Ask.model`. The text of the answer is in `["content"]["text"]`."""
        return cast("Params", await self._ask_one(Ask.model(messages, max_tokens=max_tokens, **more), key))

    async def list_roots(self, *, key: str | None = None) -> list[Params]:
        """Ask which folders the client works in: dicts with `uri` and perhaps `name`."""
        return cast("list[Params]", await self._ask_one(Ask.roots(), key))

    async def ask(self, questions: Mapping[str, Ask]) -> dict[str, Any]:
        """Ask several things at once, and return the answers by the same keys.

        Raises:
            McpError: the client did not declare that it can be asked this, refused, or gave a senseless answer.
        """
        for question in questions.values():
            if not self.can(question):
                self._refuse(question)
        answers = {key: self._known(key, question) for key, question in questions.items()}
        missing = {key: questions[key] for key, answer in answers.items() if answer is None}
        if missing and self.caller.is_modern:
            raise InputNeeded({key: question.to_json() for key, question in missing.items()})
        for key, question in missing.items():
            result = await self._way_back.request(question.method, _legacy(question.params))
            answers[key] = question.read(result)
            if answers[key] is None:
                raise McpError(INVALID_REQUEST, f"the client's answer to {question.method} makes no sense")
        return answers

    def can(self, question: Ask | Literal["elicitation", "sampling", "roots"]) -> bool:
        """Whether the client can be asked this."""
        if isinstance(question, Ask):
            return question.is_possible(self.caller.capabilities)
        return isinstance(self.caller.capabilities.get(question), Mapping)

    def close_stream(self) -> None:
        """Let go of the connection of a legacy session: the client comes back for what follows. Else do nothing."""
        close = getattr(self._way_back, "close_stream", None)
        if close is not None:
            close()

    @property
    def remembered(self) -> Json:
        """What `remember` was given before the last question of this call; None before the first one."""
        return self._remembered

    def remember(self, value: Json) -> None:
        """Keep a JSON value until the client has answered the next question.

        It travels to the client and back, sealed: the client can read it, and cannot change it.
        """
        self._remembered = value

    def resume(self, answers: Params, remembered: Json) -> None:
        """Take in what earlier rounds of this call have brought. For the server."""
        self._answers = answers
        self._remembered = remembered

    @property
    def progress_of_asking(self) -> tuple[Params, Json]:
        """What the next round must know. For the server."""
        return self._answers, self._remembered

    async def _ask_one(self, question: Ask, key: str | None) -> object:
        self._asked += 1
        name = key or f"{question.method.partition('/')[0]}_{self._asked}"
        return (await self.ask({name: question}))[name]

    def _known(self, key: str, question: Ask) -> object:
        """The answer that is there already. One that makes no sense is as good as none: it is asked for again."""
        answer = self._answers.get(key)
        if not isinstance(answer, dict):
            self._answers.pop(key, None)
            return None
        value: object = question.read(cast("Params", answer))
        if value is None:
            del self._answers[key]
        return value

    def _refuse(self, question: Ask) -> None:
        (name,) = question.needs
        if not self.caller.is_modern and not getattr(self._way_back, "can_ask", True):
            no_way_back(question.method)
        if self.caller.is_modern:
            raise McpError(
                MISSING_CLIENT_CAPABILITY,
                f"this needs a client with the capability {name}",
                {"requiredCapabilities": question.needs},
            )
        raise McpError(INVALID_REQUEST, f"this needs a client with the capability {name}")


def answers_of(params: Mapping[str, Any]) -> Params:
    """The answers that came with a request. Raises McpError when that is no mapping."""
    answers = params.get("inputResponses", {})
    if not isinstance(answers, dict):
        raise McpError(INVALID_PARAMS, "inputResponses must be an object")
    return dict(cast("Params", answers))


def _legacy(params: Params) -> Params:
    """Older clients know forms without a mode."""
    return {key: value for key, value in params.items() if (key, value) != ("mode", "form")}
