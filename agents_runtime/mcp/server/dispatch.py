"""From a request to its response, of whichever era it is and however it came in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, cast

from agents_runtime.context import is_awaitable
from agents_runtime.errors import AgentError, RpcError, UsageError
from agents_runtime.mcp.protocol.messages import McpError, Params, Request, build_error, build_result, is_object
from agents_runtime.mcp.protocol.results import CACHEABLE, COMPLETE, MAY_LACK_INPUT, CacheHint, input_required, stamped
from agents_runtime.mcp.protocol.versions import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LATEST_LEGACY_VERSION,
    LEGACY_VERSIONS,
    LOG_LEVELS,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
    RESOURCE_NOT_FOUND,
)
from agents_runtime.mcp.server.asking import InputNeeded
from agents_runtime.mcp.server.caller import Caller, Outbound
from agents_runtime.mcp.server.context import McpContext, answers_of
from agents_runtime.mcp.tools.results import call_result, error_result, has_result_type, structured_result
from agents_runtime.mcp.tools.signature import WrongArguments

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.server.offers import Offer, ResourceOffer
    from agents_runtime.mcp.server.server import McpServer, Method, ToolOffer

__all__ = ["Answering", "Caller", "Outbound", "negotiate", "serve"]

Make = Callable[[McpContext], Awaitable[Params]]
logger = logging.getLogger("agents_runtime")

MAX_COMPLETIONS = 100
_NOTHING: Params = {}


class Answering(Protocol):
    """Something that answers requests: an `McpServer`, or what stands for a server of another library."""

    def answer_to(self, method: str, *, is_modern: bool) -> Method | None:
        """What answers a method, None when there is no such method in this era."""
        ...

    def capabilities(self, *, can_push: bool = True) -> Params:
        """What the server declares that it can do."""
        ...

    @property
    def instructions(self) -> str | None:
        """How a model should use it."""
        ...

    @property
    def info(self) -> Mapping[str, Any]:
        """Name and version of the server."""
        ...

    @property
    def cache(self) -> CacheHint:
        """How long lists and resources may be kept."""
        ...


async def serve(server: Answering, message: Request, caller: Caller, outbound: Outbound) -> Params:
    """Answer one request: the JSON-RPC response, a result or an error. Raises nothing but CancelledError."""
    method = message.method
    try:
        answer = server.answer_to(method, is_modern=caller.is_modern)
        if answer is None:
            raise McpError(METHOD_NOT_FOUND, "Method not found", method[:200])
        result = await answer(message, caller, outbound)
        if caller.is_modern:
            result = stamped(result, server.info, server.cache if method in CACHEABLE else None)
        return build_result(message.id, result)
    except McpError as error:
        return build_error(message.id, error)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        # Something that the user's code waited for was cancelled, and not this request.
        return build_error(message.id, McpError(INTERNAL_ERROR, "Internal server error: cancelled inside"))
    except Exception:  # whatever the user's code raises
        logger.exception("answering %s failed", method[:200])
        return build_error(message.id, McpError(INTERNAL_ERROR, "Internal server error"))


def negotiate(server: Answering, params: Mapping[str, Any], *, can_push: bool = True) -> tuple[Params, Caller]:
    """Answer a legacy `initialize`: its result, and who asks from now on.

    Args:
        server: for whom.
        params: of the request.
        can_push: whether the client can be told about changes.

    Raises:
        McpError: the parameters cannot be read.
    """
    version, capabilities = params.get("protocolVersion"), params.get("capabilities", {})
    info = params.get("clientInfo")
    if not isinstance(version, str):
        raise McpError(INVALID_PARAMS, "protocolVersion must be a text")
    if not isinstance(capabilities, dict) or not (info is None or isinstance(info, dict)):
        raise McpError(INVALID_PARAMS, "capabilities and clientInfo must be objects")
    agreed = version if version in LEGACY_VERSIONS else LATEST_LEGACY_VERSION
    result: Params = {
        "protocolVersion": agreed,
        "capabilities": server.capabilities(can_push=can_push),
        "serverInfo": server.info,
    }
    if server.instructions is not None:
        result["instructions"] = server.instructions
    return result, Caller(agreed, cast("Params | None", info), cast("Params", capabilities))


class Answers:
    """The built-in answers of an `McpServer`."""

    def __init__(self, server: McpServer) -> None:
        self._server = server

    def by_method(self) -> Mapping[str, Method]:
        """All of them."""
        return {
            "tools/call": self.call_tool,
            "tools/list": self.list_tools,
            "prompts/list": self.list_prompts,
            "prompts/get": self.get_prompt,
            "resources/list": self.list_resources,
            "resources/templates/list": self.list_templates,
            "resources/read": self.read_resource,
            "resources/subscribe": self.subscribe,
            "resources/unsubscribe": self.subscribe,
            "completion/complete": self.complete,
            "server/discover": self.discover,
            "logging/setLevel": self.set_level,
            "ping": self.ping,
        }

    async def discover(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """What the server is and can do."""
        server = self._server
        found: Params = {"supportedVersions": list(MODERN_VERSIONS), "capabilities": server.capabilities()}
        if server.instructions is not None:
            found["instructions"] = server.instructions
        return found

    async def ping(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Nothing, soon."""
        return {}

    async def set_level(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Check the level; the session keeps it."""
        if request.params.get("level") not in LOG_LEVELS:
            raise McpError(INVALID_PARAMS, f"level must be one of {', '.join(LOG_LEVELS)}")
        return {}

    async def subscribe(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Check the URI; the session keeps it."""
        if not isinstance(request.params.get("uri"), str):
            raise McpError(INVALID_PARAMS, "uri must be a text")
        return {}

    async def list_tools(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """One page of the tools, in the order in which they were added."""
        tools = self._server.tools
        keys, following = self._page(list(tools), request.params)
        listed = [tools[key].tool.listing for key in keys]
        if not caller.is_modern:
            listed = [_for_legacy(entry) for entry in listed]
        return {"tools": listed, **following}

    async def list_prompts(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """One page of the prompts."""
        return self._listed("prompts", self._server.prompts, request.params)

    async def list_resources(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """One page of the resources that are no templates."""
        return self._listed("resources", self._server.resources, request.params)

    async def list_templates(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """One page of the templates."""
        return self._listed("resourceTemplates", self._server.templates, request.params)

    async def call_tool(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Call a tool. What goes wrong in it is a result that the model can read."""
        params = request.params
        name, arguments = params.get("name"), params.get("arguments")
        offer = self._server.tools.get(name) if isinstance(name, str) else None
        if offer is None:
            raise McpError(INVALID_PARAMS, f"Unknown tool: {name}"[:300])
        if arguments is None:
            arguments = {}
        elif not isinstance(arguments, dict):
            raise McpError(INVALID_PARAMS, "arguments must be an object")
        signature = offer.tool.signature
        try:
            bound = signature.bind(cast("Params", arguments))
        except WrongArguments as error:
            return error_result(f"Invalid arguments for tool {offer.tool.name}: {error}")
        try:
            if signature.context is None:
                result = await _run(offer, bound)
            else:
                result = await self._in_rounds(request, caller, outbound, lambda context: _run(offer, bound, context))
        except McpError:
            raise
        except Exception as error:  # whatever the user's code raises
            logger.info("the tool %s failed", offer.tool.name, exc_info=error)
            return error_result(self._text_of(error))
        if not caller.is_modern and not isinstance(result.get("structuredContent", _NOTHING), dict):
            del result["structuredContent"]  # legacy clients take only objects
        return result

    async def get_prompt(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Make a prompt."""
        name = request.params.get("name")
        offer = self._server.prompts.get(name) if isinstance(name, str) else None
        if offer is None:
            raise McpError(INVALID_PARAMS, f"Unknown prompt: {name}"[:300])
        bound = offer.bind(request.params.get("arguments") or {})

        async def make(context: McpContext) -> Params:
            return offer.messages(await _made(offer, bound, context))

        return await self._in_rounds(request, caller, outbound, make)

    async def read_resource(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Read a resource."""
        uri = request.params.get("uri")
        if not isinstance(uri, str):
            raise McpError(INVALID_PARAMS, "uri must be a text")
        found = self._find(uri)
        if found is None:
            code = INVALID_PARAMS if caller.is_modern else RESOURCE_NOT_FOUND
            raise McpError(code, "Resource not found", {"uri": uri[:2000]})
        offer, bound = found

        async def make(context: McpContext) -> Params:
            return offer.contents(uri, await _made(offer, bound, context))

        result = await self._in_rounds(request, caller, outbound, make)
        if offer.cache is not None and caller.is_modern and result.get("resultType", COMPLETE) == COMPLETE:
            result = {"ttlMs": offer.cache.ttl_ms, "cacheScope": offer.cache.scope, **result}
        return result

    async def complete(self, request: Request, caller: Caller, outbound: Outbound) -> Params:
        """Suggest values for an argument."""
        params = request.params
        ref, argument = params.get("ref"), params.get("argument")
        if not isinstance(ref, dict) or not isinstance(argument, dict):
            raise McpError(INVALID_PARAMS, "ref and argument must be objects")
        of = self._completed(cast("Params", ref))
        name, value = cast("Params", argument).get("name"), cast("Params", argument).get("value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise McpError(INVALID_PARAMS, "argument.name and argument.value must be texts")
        offer = self._server.completions.get((of, name))
        values: Sequence[str] = () if offer is None else await _suggested(offer, value, params.get("context"))
        total = len(values)
        shown = list(values[:MAX_COMPLETIONS])
        return {"completion": {"values": shown, "total": total, "hasMore": total > len(shown)}}

    def _completed(self, ref: Params) -> str:
        server = self._server
        kind = ref.get("type")
        known: object = ref.get("name" if kind == "ref/prompt" else "uri")
        if kind in ("ref/prompt", "ref/resource") and isinstance(known, str):
            offers = (server.prompts,) if kind == "ref/prompt" else (server.templates, server.resources)
            if any(known in each for each in offers):
                return known
        raise McpError(INVALID_PARAMS, "ref names no prompt or resource of this server")

    def _find(self, uri: str) -> tuple[ResourceOffer, dict[str, str]] | None:
        if (offer := self._server.resources.get(uri)) is not None:
            return offer, {}
        for offer in self._server.templates.values():
            if (values := offer.match(uri)) is not None:
                return offer, values
        return None

    async def _in_rounds(self, request: Request, caller: Caller, outbound: Outbound, make: Make) -> Params:
        """Run the user's code with a context. A question to a modern client becomes the answer to its request."""
        context = McpContext(request, caller, outbound, self._server.changes)
        if caller.is_modern and request.method in MAY_LACK_INPUT:
            self._resume(context, request, caller)
        try:
            result: Params = await make(context)
        except InputNeeded as needed:
            return self._ask(needed, context, request, caller)
        except asyncio.CancelledError:
            context.cancelled()
            raise
        return result

    def _resume(self, context: McpContext, request: Request, caller: Caller) -> None:
        params = request.params
        if "inputResponses" not in params and "requestState" not in params:
            return
        kept: Any = None
        if (sealed := params.get("requestState")) is not None:
            if self._server.sealer is None:
                raise McpError(INVALID_PARAMS, "requestState is not valid for this request, or too old")
            kept = self._server.sealer.open(sealed, caller.principal, request.method, params)
        earlier, remembered = cast("tuple[Params, Json]", kept) if isinstance(kept, list) else ({}, None)
        context.resume({**earlier, **answers_of(params)}, remembered)

    def _ask(self, needed: InputNeeded, context: McpContext, request: Request, caller: Caller) -> Params:
        answers, remembered = context.progress_of_asking
        state: str | None = None
        if answers or remembered is not None:
            if self._server.sealer is None:
                raise UsageError("the server has nothing to seal the state of a call with: set server.sealer")
            state = self._server.sealer.seal([answers, remembered], caller.principal, request.method, request.params)
        return input_required(needed.requests, state)

    def _listed(self, key: str, offers: Mapping[str, Any], params: Params) -> Params:
        keys, following = self._page(list(offers), params)
        return {key: [offers[name].listing for name in keys], **following}

    def _page(self, keys: list[str], params: Params) -> tuple[list[str], Params]:
        """The keys of the page that is asked for, and how to ask for the next one."""
        size, cursor = self._server.page_size, params.get("cursor")
        start = 0
        if cursor is not None:
            last = _decoded(cursor)
            if last not in keys:
                raise McpError(INVALID_PARAMS, "cursor is none of this server's, or its entry is gone: list anew")
            start = keys.index(last) + 1
        page = list(islice(keys, start, start + size))
        if start + size >= len(keys):
            return page, {}
        return page, {"nextCursor": base64.urlsafe_b64encode(page[-1].encode()).decode()}

    def _text_of(self, error: Exception) -> str:
        if self._server.redact_errors and not isinstance(error, RpcError):
            return "The tool failed"
        text = error.public_message if isinstance(error, AgentError) else str(error)
        return text or type(error).__name__


async def _run(offer: ToolOffer, bound: Params, context: McpContext | None = None) -> Params:
    if context is not None:
        bound[cast("str", offer.tool.signature.context)] = context
    value: Any = offer.run(**bound)
    if offer.is_async or is_awaitable(value):
        value = await value
    if is_object(value) and has_result_type(value):
        return dict(value)
    result = call_result(value)
    if offer.tool.output_schema is not None and "structuredContent" not in result and "isError" not in result:
        result = structured_result(value)
    return result


async def _made(offer: Offer, bound: Mapping[str, Any], context: McpContext) -> object:
    parameter = offer.signature.context
    value: Any = offer.function(**bound, **({} if parameter is None else {parameter: context}))
    return await value if is_awaitable(value) else value


async def _suggested(offer: Offer, value: str, context: object) -> Sequence[str]:
    others: object = cast("Params", context).get("arguments", {}) if isinstance(context, dict) else {}
    taken = offer.signature.count
    found: Any = offer.function(*((value,) if taken < 2 else (value, others)))
    return list(await found if is_awaitable(found) else found)


def _decoded(cursor: object) -> str | None:
    try:
        return base64.urlsafe_b64decode(cast("str", cursor).encode()).decode()
    except (AttributeError, ValueError, binascii.Error):
        return None


def _for_legacy(entry: Params) -> Params:
    """Legacy clients take only objects for structured results."""
    output = entry.get("outputSchema")
    if output is None or output.get("type") == "object":
        return entry
    return {key: value for key, value in entry.items() if key != "outputSchema"}
