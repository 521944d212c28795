"""One HTTP endpoint without sessions: each POST is answered by itself, in the era that it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agents_runtime._platform.base import header_finder, make_response
from agents_runtime.mcp.protocol.messages import (
    McpError,
    Notification,
    Params,
    Request,
    build_error,
    build_result,
    id_of,
    is_list,
    parse_message,
)
from agents_runtime.mcp.protocol.versions import (
    ASSUMED_VERSION,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LEGACY_VERSIONS,
    SERVER_ERROR,
    V_2025_03_26,
    VERSION_HEADER,
)
from agents_runtime.mcp.server.auth import AUTH, AuthInfo
from agents_runtime.mcp.server.caller import Caller
from agents_runtime.mcp.server.dispatch import negotiate, serve
from agents_runtime.mcp.server.envelope import HeaderOf, caller_of, check_mirrored, check_version, looks_modern
from agents_runtime.mcp.server.http import (
    Manner,
    Replies,
    answered,
    json_answer,
    listen,
    posted_problem,
    read_json,
    refused,
    respond,
)

if TYPE_CHECKING:
    from agents_runtime.mcp.server.dispatch import Answering
    from agents_runtime.mcp.server.subscriptions import Changes

GiveServer: TypeAlias = "Callable[[], Awaitable[Answering]]"
LISTEN = "subscriptions/listen"
MAX_LISTENING = 1_000
MAX_BATCH = 100
QUICK = frozenset(("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"))


class Endpoint:
    """Answers POSTs for one server.

    Args:
        give_server: the server for a request.
        changes: what listening clients are told of.
        manner: how answers are sent.
        serves_legacy: whether clients of the older era are served, without sessions.
    """

    def __init__(
        self, give_server: GiveServer, changes: Changes, manner: Manner, *, serves_legacy: bool = True
    ) -> None:
        self._give_server = give_server
        self._changes = changes
        self._manner = manner
        self._serves_legacy = serves_legacy
        self._listening = 0

    async def answer(self, request: Any, auth: AuthInfo | None, find: HeaderOf | None = None) -> Any:  # noqa: ANN401 - the platform's request and response
        """The response to a request of any method.

        Args:
            request: the platform's.
            auth: who sends it.
            find: looks up its headers, if the caller has that at hand.
        """
        find = find or header_finder(request)
        if request.method != "POST":
            return refused(405, SERVER_ERROR, "Method not allowed.", None, {"Allow": "POST"})
        problem = posted_problem(find("accept"), find("content-type"), find("content-length"))
        if problem is not None:
            return problem
        data, problem = await read_json(request)
        if problem is not None:
            return problem
        previous = AUTH.get()
        AUTH.set(auth)  # tasks that answer take a copy along
        try:
            if looks_modern(find(VERSION_HEADER), data):
                return await self._modern(find, data, auth)
            if not self._serves_legacy:
                return self._only_modern(data)
            return await self._legacy(find(VERSION_HEADER), data, auth)
        finally:
            AUTH.set(previous)

    # The modern era: one message, which says everything about itself

    async def _modern(self, find: HeaderOf, data: object, auth: AuthInfo | None) -> Any:  # noqa: ANN401 - the platform's response
        try:
            message = parse_message(data)
            if isinstance(message, Notification):
                check_version(find(VERSION_HEADER) or "")
                return make_response(None, 202)
            if not isinstance(message, Request):
                raise McpError(INVALID_REQUEST, "Invalid Request: clients send requests and notifications")
            return await self._modern_request(message, find, auth)
        except McpError as error:
            return answered(build_error(id_of(data), error), is_modern=True)

    async def _modern_request(self, message: Request, find: HeaderOf, auth: AuthInfo | None) -> Any:  # noqa: ANN401 - the platform's response
        caller = caller_of(message, find, auth)
        if message.method == LISTEN:
            return self._listen(message)
        server = await self._give_server()
        is_quick = message.method in QUICK
        if message.method == "tools/call":
            tool = find_tool(server, message)
            if tool is not None:
                check_mirrored(tool.tool.mirrored, message, find)
                is_quick = not tool.is_async
        replies = Replies()
        work = serve(server, message, caller, replies)
        return await respond(work, replies, self._manner, is_modern=True, is_quick=is_quick)

    def _listen(self, message: Request) -> Any:  # noqa: ANN401 - the platform's response
        if self._changes.count >= MAX_LISTENING:
            raise McpError(INTERNAL_ERROR, "too many clients are listening")
        return listen(message.id, message.params, self._changes, self._manner)

    def _only_modern(self, data: object) -> Any:  # noqa: ANN401 - the platform's response
        try:
            check_version(str(cast("Params", data)["params"]["protocolVersion"]))
        except McpError as error:
            return answered(build_error(id_of(data), error), is_modern=True)
        except (KeyError, TypeError):
            return refused(400, INVALID_REQUEST, "Invalid Request: this server speaks 2026-07-28 only", id_of(data))
        return refused(400, INVALID_REQUEST, "Invalid Request: this version has no handshake", id_of(data))

    # The legacy era, without sessions: what a session would know is not known

    async def _legacy(self, version: str | None, data: object, auth: AuthInfo | None) -> Any:  # noqa: ANN401 - the platform's response
        if version is not None and version not in LEGACY_VERSIONS:
            known = ", ".join(LEGACY_VERSIONS)
            return refused(400, SERVER_ERROR, f"Bad Request: Unsupported protocol version (supported: {known})")
        is_batch = is_list(data)
        parts = data if is_list(data) else [data]
        try:
            if is_batch and (version not in (None, V_2025_03_26) or not 0 < len(parts) <= MAX_BATCH):
                raise McpError(INVALID_REQUEST, "Invalid Request: no batch of this size in this version")
            messages = [parse_message(part) for part in parts]
        except McpError as error:
            return json_answer(build_error(id_of(data), error), 400)
        requests = [message for message in messages if isinstance(message, Request)]
        if not requests:
            return make_response(None, 202)
        caller = Caller(version or ASSUMED_VERSION, auth=auth)
        if len(parts) > 1:
            return await self._legacy_batch(requests, caller)
        return await self._legacy_request(requests[0], caller)

    async def _legacy_request(self, message: Request, caller: Caller) -> Any:  # noqa: ANN401 - the platform's response
        server = await self._give_server()
        tool = find_tool(server, message) if message.method == "tools/call" else None
        is_quick = message.method in QUICK or message.method == "initialize" or (tool is not None and not tool.is_async)
        replies = Replies()
        work = _serve_legacy(server, message, caller, replies)
        return await respond(work, replies, self._manner, is_modern=False, is_quick=is_quick)

    async def _legacy_batch(self, messages: list[Request], caller: Caller) -> Any:  # noqa: ANN401 - the platform's response
        if any(message.method == "initialize" for message in messages):
            return refused(400, INVALID_REQUEST, "Invalid Request: initialize must come alone")
        server = await self._give_server()
        replies = Replies()
        answers = await asyncio.gather(*(_serve_legacy(server, message, caller, replies) for message in messages))
        return json_answer(answers)


async def _serve_legacy(server: Answering, message: Request, caller: Caller, replies: Replies) -> Params:
    if message.method != "initialize":
        return await serve(server, message, caller, replies)
    try:
        result, _ = negotiate(server, message.params, can_push=False)
    except McpError as error:
        return build_error(message.id, error)
    return build_result(message.id, result)


def find_tool(server: Any, message: Request) -> Any:  # noqa: ANN401 - a server may have no tools of ours
    """The tool that is called, if the server has it."""
    name = message.params.get("name")
    tools: Mapping[str, Any] = getattr(server, "tools", {})
    return tools.get(name) if isinstance(name, str) else None
