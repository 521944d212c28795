"""McpServer: the tools, resources and prompts that a server offers, as an author writes them down."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import iscoroutinefunction, ismethod
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.protocol.results import CacheHint
from agents_runtime.mcp.server.offers import Offer, PromptOffer, ResourceOffer
from agents_runtime.mcp.server.subscriptions import Changes
from agents_runtime.mcp.tools.declare import Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from agents_runtime.mcp.protocol.messages import Params, Request
    from agents_runtime.mcp.server.caller import Caller, Outbound
    from agents_runtime.mcp.server.requests_state import Sealer
    from agents_runtime.mcp.tools.declare import TaskSupport

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

Method: TypeAlias = "Callable[[Request, Caller, Outbound], Awaitable[Params]]"
"""Answers one JSON-RPC method."""

REMOVED = frozenset(("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"))
"""Methods that the modern era no longer has."""

LEGACY_ABSENT = frozenset(("server/discover", "subscriptions/listen"))
DEFAULT_PAGE_SIZE = 500


class ToolOffer:
    """A tool and what runs it."""

    __slots__ = ("context", "is_async", "run", "tool")

    def __init__(self, made: Tool, run: Callable[..., Any]) -> None:
        self.tool = made
        self.run = run
        self.is_async = made.is_async or iscoroutinefunction(run)


class McpServer:
    """A server of tools, resources and prompts. Build it once, or anew for each request; it does no I/O itself.

    Serve it with `create_mcp_handler(server)`, or return it from an `McpAgent`.

    Attributes:
        changes: tells listening clients what has changed. Tools, resources and prompts that are added or removed while
            the server is in use are told by themselves.
        methods: answers to JSON-RPC methods of your own or of an extension, by method. They come before the built-in
            ones.
        extensions: what extensions of the protocol the server declares, by their identifier.
        sealer: what seals the state of calls that wait for input; set by whoever serves it.
    """

    def __init__(
        self,
        name: str,
        version: str = "0.1.0",
        *,
        title: str | None = None,
        description: str | None = None,
        instructions: str | None = None,
        website_url: str | None = None,
        icons: list[Mapping[str, Any]] | None = None,
        cache: CacheHint | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
        redact_errors: bool = False,
    ) -> None:
        """Describe the server.

        Args:
            name: for programs.
            version: of your server.
            title: for people.
            description: what it is for.
            instructions: how a model should use it.
            website_url: where people read more.
            icons: pictures, such as `{"src": "https://..."}`.
            cache: how long clients may keep lists and resources. By default not at all.
            page_size: how many entries one page of a list has.
            redact_errors: do not tell clients the text of exceptions, other than `McpError` and `RpcError`.
        """
        if page_size < 1:
            raise UsageError(f"page_size must be 1 or more, not {page_size!r}")
        optional = {"title": title, "description": description, "websiteUrl": website_url, "icons": icons}
        self.info: Params = {
            "name": name,
            "version": version,
            **{key: value for key, value in optional.items() if value is not None},
        }
        self.instructions = instructions
        self.cache = cache or CacheHint()
        self.page_size = page_size
        self.redact_errors = redact_errors
        self.changes = Changes()
        self.methods: dict[str, Method] = {}
        self.extensions: dict[str, Params] = {}
        self.sealer: Sealer | None = None
        self.tools: dict[str, ToolOffer] = {}
        self.prompts: dict[str, PromptOffer] = {}
        self.resources: dict[str, ResourceOffer] = {}
        self.templates: dict[str, ResourceOffer] = {}
        self.completions: dict[tuple[str, str], Offer] = {}

    @overload
    def tool(self, function: AnyFunction, /) -> AnyFunction: ...
    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        title: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        icons: list[Mapping[str, Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
        task: TaskSupport | None = None,
    ) -> Callable[[AnyFunction], AnyFunction]: ...
    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        title: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        icons: list[Mapping[str, Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
        task: TaskSupport | None = None,
    ) -> Any:
        """Offer a function as a tool; see `agents_runtime.tool` for the options. Usable with and without brackets."""
        given_options = {"name": name, "description": description, "input_schema": input_schema, "meta": meta}
        options = {**given_options, "output_schema": output_schema, "title": title, "icons": icons}
        options |= {"annotations": annotations, "task": task}

        def register(given: Callable[..., Any]) -> Callable[..., Any]:
            plain: object = getattr(given, "__func__", given)
            if not isinstance(plain, FunctionType):
                raise DefinitionError(f"a tool is a function or method, not a {type(given).__name__}")
            self.add_tool(Tool(plain, options, is_method=ismethod(given)), given)
            return given

        return register if function is None else register(function)

    def add_tool(self, made: Tool, run: Callable[..., Any]) -> None:
        """Offer a tool that `run` runs. Raises DefinitionError when there is one of its name."""
        if made.name in self.tools:
            raise DefinitionError(f"{made.where}: there is a tool {made.name!r} already; give it another name=")
        self.tools[made.name] = ToolOffer(made, run)
        self.changes.tools()

    def remove_tool(self, name: str) -> None:
        """Offer a tool no longer. Raises KeyError when there is none."""
        del self.tools[name]
        self.changes.tools()

    def resource(
        self,
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        size: int | None = None,
        icons: list[Mapping[str, Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
        cache: CacheHint | None = None,
    ) -> Callable[[AnyFunction], AnyFunction]:
        """Offer what a function returns as a resource: a text, bytes, or other JSON.

        With parameters in braces the URI is a template, and the function gets them as texts: `notes://{id}`.

        Args:
            uri: where it is, or the template.
            name: for programs; by default the function's.
            title: for people.
            description: what it is; by default the docstring's first paragraph.
            mime_type: of what media type it is.
            annotations: hints such as `{"audience": ["user"]}`.
            size: how many bytes it has.
            icons: pictures.
            meta: anything else, for clients that know it.
            cache: how long clients may keep it; by default what the server says.
        """
        options: dict[str, Any] = {"name": name, "title": title, "description": description, "mime_type": mime_type}
        options.update(annotations=annotations, size=size, icons=icons, meta=meta, cache=cache)

        def register(function: AnyFunction) -> AnyFunction:
            offer = ResourceOffer(uri, function, options)
            known = self.templates if offer.is_template else self.resources
            if uri in known:
                raise DefinitionError(f"{offer.where}: there is a resource {uri!r} already")
            known[uri] = offer
            self.changes.resources()
            return function

        return register

    def remove_resource(self, uri: str) -> None:
        """Offer a resource or template no longer. Raises KeyError when there is none."""
        del (self.templates if uri in self.templates else self.resources)[uri]
        self.changes.resources()

    def prompt(
        self,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        icons: list[Mapping[str, Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Callable[[AnyFunction], AnyFunction]:
        """Offer what a function returns as a prompt: a text, content, or a list of those and of `Message`.

        Its parameters are the prompt's arguments, and always texts.
        """
        options = {"name": name, "title": title, "description": description, "icons": icons, "meta": meta}

        def register(function: AnyFunction) -> AnyFunction:
            offer = PromptOffer(function, options)
            if offer.name in self.prompts:
                raise DefinitionError(f"{offer.where}: there is a prompt {offer.name!r} already")
            self.prompts[offer.name] = offer
            self.changes.prompts()
            return function

        return register

    def remove_prompt(self, name: str) -> None:
        """Offer a prompt no longer. Raises KeyError when there is none."""
        del self.prompts[name]
        self.changes.prompts()

    def completion(self, of: str, argument: str) -> Callable[[AnyFunction], AnyFunction]:
        """Suggest values for an argument: the function gets what was typed so far and returns a list of texts.

        Args:
            of: the name of a prompt, or the URI of a template.
            argument: which of its arguments. A function with a second parameter gets the other arguments there.
        """

        def register(function: AnyFunction) -> AnyFunction:
            self.completions[of, argument] = Offer(function, "completion", {})
            return function

        return register

    def view(self) -> McpServer:
        """The same server with tools, methods, extensions and changes of its own: to add some for one agent alone."""
        view = copy.copy(self)
        vars(view).pop("answers", None)
        view.tools, view.methods = dict(self.tools), dict(self.methods)
        view.extensions, view.changes = dict(self.extensions), Changes()
        return view

    def capabilities(self, *, can_push: bool = True) -> Params:
        """What the server declares that it can do.

        Args:
            can_push: whether clients can be told about changes.
        """
        found: Params = {"logging": {}}
        if self.tools:
            found["tools"] = {"listChanged": True} if can_push else {}
        if self.resources or self.templates:
            found["resources"] = {"listChanged": True, "subscribe": True} if can_push else {}
        if self.prompts:
            found["prompts"] = {"listChanged": True} if can_push else {}
        if self.completions:
            found["completions"] = {}
        if self.extensions:
            found["extensions"] = dict(self.extensions)
        return found

    def answer_to(self, method: str, *, is_modern: bool) -> Method | None:
        """What answers a method, None when there is no such method in this era."""
        answer = self.methods.get(method)
        if answer is not None or method in (REMOVED if is_modern else LEGACY_ABSENT):
            return answer
        return self.answers.get(method)

    @cached_property
    def answers(self) -> Mapping[str, Method]:
        """The built-in answers, by method."""
        from agents_runtime.mcp.server.dispatch import Answers

        return Answers(self).by_method()
