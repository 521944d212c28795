"""What a server offers besides tools: resources, templates of resources, and prompts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import unquote

from agents_runtime._core.jsonx import dumps
from agents_runtime.context import inner
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.protocol.messages import McpError, is_list, is_object
from agents_runtime.mcp.protocol.versions import INVALID_PARAMS
from agents_runtime.mcp.tools.content import Content, as_block, resource_contents
from agents_runtime.mcp.tools.docstrings import parameters_of, summary_of
from agents_runtime.mcp.tools.signature import Signature, WrongArguments, is_context

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params
    from agents_runtime.mcp.protocol.results import CacheHint

Function: TypeAlias = Callable[..., Any]
"""Code of the user, sync or async."""

MAX_URI_CHARS = 4_096
"""Longer URIs match no template: to find that out could take long."""

_EXPRESSION = re.compile(r"\{([+?&]?)(\w+(?:,\w+)*)\}")
_ONE_STEP = r"[^/?#]+"


class Offer:
    """Something with a name that is made by a function of the user.

    Attributes:
        name: its name on the wire.
        function: what makes it.
        signature: the parameters of that.
    """

    def __init__(self, function: Function, kind: str, options: Mapping[str, Any]) -> None:
        plain = getattr(function, "__func__", function)
        if not isinstance(plain, FunctionType):
            raise DefinitionError(f"a {kind} is made by a function or method, not by a {type(function).__name__}")
        self.function = function
        self.options = options
        self.name: str = options.get("name") or plain.__name__
        self._plain = inner(plain)
        self.where = f"the {kind} {plain.__qualname__}"

    @cached_property
    def signature(self) -> Signature:
        """The parameters of its function."""
        return Signature(self._plain, self.where, is_method=inspect.ismethod(self.function))

    @property
    def description(self) -> str:
        """What it is, for people and models."""
        return self.options.get("description") or summary_of(self._plain.__doc__) or self.name

    @property
    def descriptions(self) -> Mapping[str, str]:
        """What the docstring says about its parameters."""
        return parameters_of(self._plain.__doc__)

    def listed(self, entry: Params, *keys: tuple[str, str]) -> Params:
        """The entry with those options that were given."""
        for option, key in (("title", "title"), ("icons", "icons"), ("meta", "_meta"), *keys):
            if self.options.get(option) is not None:
                entry[key] = self.options[option]
        return entry


class ResourceOffer(Offer):
    """A resource, or a template of resources when its URI has parameters in braces.

    `{id}` stands for one step of a path, `{+path}` for several, and `{?a,b}` for optional parameters behind a question
    mark. What would lead elsewhere when it is used as a path matches nothing: `..`, a root, a drive.
    """

    def __init__(self, uri: str, function: Function, options: Mapping[str, Any]) -> None:
        super().__init__(function, "resource", options)
        if "://" not in uri and ":" not in uri:
            raise DefinitionError(f"{self.where}: {uri!r} is no URI; write one such as notes://all")
        self.uri = uri
        self.is_template = "{" in uri
        self.cache: CacheHint | None = options.get("cache")
        self._names: list[str] = []
        self._queries: list[str] = []
        self._pattern = self._compiled() if self.is_template else None
        self._check_parameters()

    @cached_property
    def listing(self) -> Params:
        """What a list says about it."""
        key = "uriTemplate" if self.is_template else "uri"
        entry: Params = {key: self.uri, "name": self.name, "description": self.description}
        return self.listed(entry, ("mime_type", "mimeType"), ("annotations", "annotations"), ("size", "size"))

    def match(self, uri: str) -> dict[str, str] | None:
        """The parameters with which this template makes `uri`; None when it does not."""
        if self._pattern is None:
            return {} if uri == self.uri else None
        if len(uri) > MAX_URI_CHARS:
            return None
        path, _, query = uri.partition("?") if self._queries else (uri, "", "")
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: unquote(found[name]) for name in self._names}
        if not all(_is_safe(value) for value in values.values()):
            return None
        for part in filter(None, query.split("&")):
            name, _, value = part.partition("=")
            if name in self._queries:
                values[name] = unquote(value.replace("+", " "))
        return values

    def contents(self, uri: str, value: object) -> Params:
        """The result of reading it, from what its function returned."""
        if is_object(value) and _are_contents(value.get("contents")):
            return dict(value)
        mime_type: str | None = self.options.get("mime_type")
        if isinstance(value, bytes):
            return {"contents": [resource_contents(uri, value, mime_type or "application/octet-stream")]}
        if isinstance(value, str):
            return {"contents": [resource_contents(uri, value, mime_type or "text/plain")]}
        text = dumps(value, f"the resource {uri}")
        return {"contents": [resource_contents(uri, text, mime_type or "application/json")]}

    def _check_parameters(self) -> None:
        """Raise DefinitionError unless the function takes what the URI has, and nothing else that it needs."""
        parameters = dict(inspect.signature(self._plain).parameters)
        if inspect.ismethod(self.function):
            del parameters[next(iter(parameters))]
        takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for name in (*self._names, *self._queries):
            if name not in parameters and not takes_more:
                raise DefinitionError(f"{self.where}: it has no parameter {name!r}, which is in {self.uri!r}")
        for name, p in parameters.items():
            is_given = name in self._names or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) or is_context(p.annotation)
            if not is_given and p.default is p.empty:
                problem = "must have a default, since it may be left out" if name in self._queries else "is not there"
                raise DefinitionError(f"{self.where}: its parameter {name!r} {problem} in {self.uri!r}")

    def _compiled(self) -> re.Pattern[str]:
        parts: list[str] = []
        end = 0
        for match in _EXPRESSION.finditer(self.uri):
            parts.append(re.escape(self.uri[end : match.start()]))
            end = match.end()
            operator, names = match[1], match[2].split(",")
            if operator in ("?", "&"):
                self._queries += names
                continue
            if len(names) > 1:
                raise DefinitionError(
                    f"{self.where}: {match[0]} names several parameters; write each in its own braces"
                )
            self._names += names
            parts.append(f"(?P<{names[0]}>{'.+' if operator == '+' else _ONE_STEP})")
        parts.append(re.escape(self.uri[end:]))
        if "\\{" in "".join(parts) or "\\}" in "".join(parts):
            raise DefinitionError(f"{self.where}: the braces of {self.uri!r} cannot be read")
        return re.compile("".join(parts), re.DOTALL)


def _are_contents(value: object) -> bool:
    """Whether this is what a result has, and not some value of the user."""
    return is_list(value) and all(is_object(item) and "uri" in item for item in value)


def _is_safe(value: str) -> bool:
    """Whether a parameter, once it is decoded, stays where it is put: no root, no step upwards, no end of a C text."""
    steps = value.replace("\\", "/").split("/")
    return ".." not in steps and (len(steps) == 1 or bool(steps[0])) and "\0" not in value and value[1:2] != ":"


class PromptOffer(Offer):
    """A prompt. Its arguments are texts."""

    def __init__(self, function: Function, options: Mapping[str, Any]) -> None:
        super().__init__(function, "prompt", options)

    @cached_property
    def listing(self) -> Params:
        """What `prompts/list` says about it."""
        schema = self.signature.schema
        required: list[str] = schema.get("required", [])
        arguments = [
            {
                "name": name,
                **({"description": part["description"]} if "description" in part else {}),
                "required": name in required,
            }
            for name, part in cast("dict[str, Params]", schema["properties"]).items()
        ]
        entry: Params = {"name": self.name, "description": self.description}
        if arguments:
            entry["arguments"] = arguments
        return self.listed(entry)

    def bind(self, arguments: object) -> Params:
        """The keyword arguments for its function. Raises McpError when one is missing, unknown or no text."""
        if not isinstance(arguments, dict):
            raise McpError(INVALID_PARAMS, "arguments must be an object of texts")
        given = cast("Params", arguments)
        try:
            self.signature.check_names(given)
        except WrongArguments as error:
            raise McpError(INVALID_PARAMS, f"prompt {self.name}: {error}") from None
        if not all(isinstance(value, str) for value in given.values()):
            raise McpError(INVALID_PARAMS, f"prompt {self.name}: arguments must be texts")
        return dict(given)

    def messages(self, value: object) -> Params:
        """The result of getting it, from what its function returned."""
        if is_object(value) and "messages" in value:
            return dict(value)
        items = value if is_list(value) else [value]
        return {"description": self.description, "messages": [_message(item) for item in items]}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt: a text or another piece of content, and whose it is."""

    content: str | Content | Mapping[str, Any] = field()
    role: Literal["user", "assistant"] = "user"


def _message(item: object) -> Params:
    if isinstance(item, Message):
        return {"role": item.role, "content": as_block(item.content)}
    if is_object(item) and "role" in item:
        return dict(item)
    try:
        return {"role": "user", "content": as_block(item)}
    except UsageError as error:
        raise UsageError(f"a prompt returns texts, content or messages: {error}") from None
