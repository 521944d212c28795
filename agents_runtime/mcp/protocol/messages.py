"""JSON-RPC messages: from decoded JSON to a request, a notification or a response, and back to plain dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

from agents_runtime.errors import AgentError
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, INVALID_REQUEST

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

RequestId: TypeAlias = str | int
"""What a request is known by. Never a bool, although Python takes that for an int."""

Params: TypeAlias = "dict[str, Any]"
"""The parameters of a request, a result, or anything else that is an object of JSON values."""


class McpError(AgentError):
    """Raise it in a tool, resource or prompt to answer with a JSON-RPC error; raised where a peer answered with one.

    An error that a model should read and correct is no `McpError`: raise any other exception in a tool, or return a
    result with `isError`.

    Attributes:
        error_code: the JSON-RPC code, such as -32602 for parameters that do not fit.
        message: what went wrong. It is sent.
        data: more about it, as JSON, or None. It is sent.
    """

    code = "mcp_error"

    def __init__(self, error_code: int, message: str, data: Json = None) -> None:
        self.error_code = error_code
        self.message = message
        self.data = data
        super().__init__(message)

    def to_json(self) -> Params:
        """The `error` of a response."""
        error: Params = {"code": self.error_code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error

    @classmethod
    def from_json(cls, error: object) -> McpError:
        """The error that a peer sent; whatever it sent, this makes an error of it."""
        fields: Mapping[str, Any] = cast("Mapping[str, Any]", error) if isinstance(error, Mapping) else {}
        number, message = fields.get("code"), fields.get("message")
        return cls(
            number if is_id(number) and isinstance(number, int) else INTERNAL_ERROR,
            message if isinstance(message, str) else "the peer sent an error without a message",
            fields.get("data"),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Something that must be answered."""

    id: RequestId
    method: str
    params: Params

    @property
    def meta(self) -> Params:
        """Its `_meta`; empty when there is none."""
        return _meta(self.params)


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that is not answered."""

    method: str
    params: Params

    @property
    def meta(self) -> Params:
        """Its `_meta`; empty when there is none."""
        return _meta(self.params)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: `result`, or `error` when that is not None. The id is None where the peer could not read it."""

    id: RequestId | None
    result: Params
    error: McpError | None = None


Message: TypeAlias = Request | Notification | Response


def is_id(value: object) -> TypeGuard[RequestId]:
    """Whether `value` may be the id of a request."""
    kind = type(value)
    return kind is str or kind is int


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether `value` is a JSON object."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether `value` is a list or tuple."""
    return isinstance(value, list | tuple)


def parse_message(data: object) -> Message:
    """Read one decoded JSON-RPC message.

    Raises:
        McpError: INVALID_REQUEST, with what is wrong.
    """
    if not isinstance(data, dict):
        raise _invalid("a message is a JSON object")
    fields = cast("Params", data)
    if fields.get("jsonrpc") != "2.0":
        raise _invalid('"jsonrpc" must be "2.0"')
    method = fields.get("method")
    if method is None:
        return _parse_response(fields)
    if not isinstance(method, str) or not method:
        raise _invalid('"method" must be a text')
    params = fields.get("params", {})
    if not isinstance(params, dict):
        raise _invalid('"params" must be an object')
    if "id" not in fields:
        return Notification(method, cast("Params", params))
    if not is_id(fields["id"]):
        raise _invalid('"id" must be a text or a whole number')
    return Request(fields["id"], method, cast("Params", params))


def id_of(data: object) -> RequestId | None:
    """The id to answer a message with that could not be parsed."""
    value = cast("Params", data).get("id") if isinstance(data, dict) else None
    return value if is_id(value) else None


def build_request(request_id: RequestId, method: str, params: Mapping[str, Any] | None = None) -> Params:
    """A request, ready to be written as JSON."""
    message: Params = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def build_notification(method: str, params: Mapping[str, Any] | None = None) -> Params:
    """A notification, ready to be written as JSON."""
    message: Params = {"jsonrpc": "2.0", "method": method}
    if params:
        message["params"] = params
    return message


def build_result(request_id: RequestId, result: Mapping[str, Any]) -> Params:
    """The answer to a request that went well."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def build_error(request_id: RequestId | None, error: McpError) -> Params:
    """The answer to a request that failed. The id is None when it could not be read."""
    return {"jsonrpc": "2.0", "id": request_id, "error": error.to_json()}


def _parse_response(fields: Params) -> Response:
    request_id = fields.get("id")
    if "error" in fields:
        if request_id is not None and not is_id(request_id):
            raise _invalid('"id" must be a text or a whole number')
        return Response(request_id, {}, McpError.from_json(fields["error"]))
    if not is_id(request_id):
        raise _invalid('a message has a "method", or an "id" with a "result" or an "error"')
    result = fields.get("result")
    if not isinstance(result, dict):
        raise _invalid('"result" must be an object')
    return Response(request_id, cast("Params", result))


def _meta(params: Params) -> Params:
    meta = params.get("_meta")
    return cast("Params", meta) if isinstance(meta, dict) else {}


def _invalid(problem: str) -> McpError:
    return McpError(INVALID_REQUEST, f"Invalid Request: {problem}")
