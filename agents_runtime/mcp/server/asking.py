"""What a server may ask of the client and its user while it answers a request."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_list, is_object
from agents_runtime.mcp.tools.content import as_block
from agents_runtime.mcp.tools.schema import given_schema, schema_of

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params

ACTIONS = ("accept", "decline", "cancel")


class InputNeeded(BaseException):
    """Ends a tool, prompt or resource for now: the client is to answer first, and then it runs again.

    It is no error, so `except Exception` does not catch it.

    Attributes:
        requests: what is asked, by key.
    """

    def __init__(self, requests: Mapping[str, Params]) -> None:
        self.requests = requests
        super().__init__(", ".join(requests))


@dataclass(frozen=True, slots=True)
class Elicited:
    """What the user answered.

    Attributes:
        action: `accept`, `decline` (said no) or `cancel` (went away).
        content: the fields of the form; empty unless accepted.
    """

    action: Literal["accept", "decline", "cancel"]
    content: Params = field(default_factory=dict[str, Any])

    @property
    def accepted(self) -> bool:
        """Whether the user filled in the form, or agreed to open the page."""
        return self.action == "accept"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the client. Make it with `form`, `url`, `model` or `roots`.

    Attributes:
        method: what is requested of the client.
        params: its parameters.
        needs: the capability that the client must have declared for it.
        read: makes a value of the client's result; None when the result makes no sense.
    """

    method: str
    params: Params
    needs: Params
    read: Callable[[Params], Any] = field(repr=False, compare=False)

    @staticmethod
    def form(message: str, schema: Mapping[str, Any] | type) -> Ask:
        """Ask the user to fill in a form; the answer is an `Elicited`.

        Args:
            message: what the user reads.
            schema: a flat JSON Schema of an object, its short form (`{"name": "string"}`), a TypedDict or dataclass.
        """
        requested = _form_schema(schema)
        params: Params = {"mode": "form", "message": message, "requestedSchema": requested}
        return Ask("elicitation/create", params, {"elicitation": {}}, lambda result: _elicited(result, requested))

    @staticmethod
    def url(message: str, url: str, elicitation_id: str) -> Ask:
        """Ask the user to open a page, for what must not pass through the client, such as a password."""
        params: Params = {"mode": "url", "message": message, "url": url, "elicitationId": elicitation_id}
        return Ask("elicitation/create", params, {"elicitation": {"url": {}}}, lambda result: _elicited(result, {}))

    @staticmethod
    def model(messages: str | Sequence[Any], *, max_tokens: int = 1000, **more: Any) -> Ask:  # noqa: ANN401 - JSON
        """Ask the client's model; the answer is its result, a dict with `role`, `content` and `model`.

        Args:
            messages: what the user says, or a list of texts and of ready messages with `role` and `content`.
            max_tokens: the longest answer.
            more: other parameters of `sampling/createMessage`, such as `systemPrompt`.
        """
        listed = [messages] if isinstance(messages, str) else messages
        params: Params = {"messages": [_message(item) for item in listed], "maxTokens": max_tokens, **more}
        return Ask("sampling/createMessage", params, {"sampling": {}}, _sampled)

    @staticmethod
    def roots() -> Ask:
        """Ask which folders the client works in; the answer is a list of dicts with `uri` and perhaps `name`."""
        return Ask("roots/list", {}, {"roots": {}}, _roots)

    def to_json(self) -> Params:
        """The question as it is sent inside a result."""
        return {"method": self.method, "params": self.params}

    def is_possible(self, capabilities: Mapping[str, Any]) -> bool:
        """Whether a client with these capabilities can be asked."""
        ((name, modes),) = self.needs.items()
        declared: object = capabilities.get(name)
        if not isinstance(declared, Mapping):
            return False
        known = cast("Mapping[str, Any]", declared)
        if name != "elicitation":
            return True
        return "url" in known if modes else "form" in known or "url" not in known


def _form_schema(schema: Mapping[str, Any] | type) -> Params:
    if isinstance(schema, Mapping):
        return given_schema(schema, "the form")
    made = schema_of(schema) if typing.is_typeddict(schema) or is_dataclass(schema) else None
    if made is None or made.get("type") != "object":
        raise UsageError("the schema of a form is a JSON Schema of an object, a TypedDict or a dataclass")
    made.pop("additionalProperties", None)
    return made


def _message(item: object) -> Params:
    if is_object(item) and "role" in item:
        return dict(item)
    return {"role": "user", "content": as_block(item)}


_FORM_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}


def _elicited(result: Params, schema: Params) -> Elicited | None:
    action, content = result.get("action"), result.get("content")
    if action not in ACTIONS:
        return None
    if action != "accept" or not schema:
        return Elicited(action)
    if not isinstance(content, dict):
        return None
    fields = cast("Params", content)
    properties: Params = schema.get("properties", {})
    if any(name not in fields for name in schema.get("required", ())):
        return None
    if not all(_fits(fields[name], part) for name, part in properties.items() if name in fields):
        return None
    return Elicited("accept", fields)


def _fits(value: object, schema: object) -> bool:
    """Whether the value of a field is of its type, and one of those to choose from."""
    if not isinstance(schema, dict):
        return True
    part = cast("Params", schema)
    named: object = part.get("type")
    kinds = _FORM_TYPES.get(named) if isinstance(named, str) else None
    if kinds is not None and not (isinstance(value, kinds) and (kinds == (bool,) or not isinstance(value, bool))):
        return False
    if named == "integer" and isinstance(value, float) and not value.is_integer():
        return False
    choices = _choices(part)
    if choices is not None and value not in choices:
        return False
    items: object = part.get("items")
    return not isinstance(value, list) or all(_fits(item, items) for item in cast("list[object]", value))


def _choices(schema: Params) -> list[object] | None:
    """The values that a field may have; None: it is free."""
    listed: object = schema.get("enum")
    if isinstance(listed, list):
        return cast("list[object]", listed)
    titled: object = schema.get("oneOf", schema.get("anyOf"))
    if not is_list(titled) or not all(is_object(option) and "const" in option for option in titled):
        return None
    return [cast("Params", option)["const"] for option in titled]


def _sampled(result: Params) -> Params | None:
    return result if isinstance(result.get("content"), dict | list) else None


def _roots(result: Params) -> list[Params] | None:
    roots = result.get("roots")
    if not isinstance(roots, list) or not all(isinstance(root, dict) for root in cast("list[object]", roots)):
        return None
    return cast("list[Params]", roots)
