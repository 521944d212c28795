"""register_mcp_tools: the `@tool` methods of an object as tools of a server, ours or the official one."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any

from agents_runtime._core.jsonx import dumps
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.tools.declare import tools_of
from agents_runtime.mcp.tools.results import call_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents_runtime.mcp.tools.declare import Tool


def register_mcp_tools(server: Any, obj: object) -> None:  # noqa: ANN401 - ours or another library's
    """Offer the `@tool` methods of any object as tools of a server.

    Args:
        server: an `McpServer`, or an `MCPServer` of the official SDK, which checks arguments against the annotations
            and gives the methods no `McpContext` of a client.
        obj: whose methods. The server holds on to it.

    Raises:
        UsageError: tools cannot be added to this server.
        DefinitionError: it has a tool of that name already.
    """
    table = tools_of(type(obj))
    if isinstance(server, McpServer):
        for attribute, made in table.values():
            server.add_tool(made, getattr(obj, attribute))
        return
    if not callable(getattr(server, "add_tool", None)):
        raise UsageError(f"tools cannot be added to a {type(server).__name__}: give an McpServer or an MCPServer")
    for attribute, made in table.values():
        listing = made.listing
        run = _official(getattr(obj, attribute), made)
        server.add_tool(run, name=made.name, title=listing.get("title"), description=listing["description"])


def _official(method: Callable[..., Any], made: Tool) -> Callable[..., Any]:
    """The method as the official server takes it: without the context, and with its result made already."""
    from agents_runtime.mcp.server.context import McpContext
    from agents_runtime.mcp.server.official import sdk

    result_class = sdk("mcp_types").CallToolResult
    context = made.signature.context

    async def run(**arguments: Any) -> Any:  # noqa: ANN401 - the method's own types
        given = arguments if context is None else {**arguments, context: McpContext.alone()}
        value = method(**given)
        return result_class.model_validate(call_result(await value if is_awaitable(value) else value))

    shown = signature(made.function, eval_str=True)
    told = made.signature.schema.get("properties", {})
    parameters = [
        p.replace(annotation=_told(p.annotation, told.get(name)))
        for name, p in list(shown.parameters.items())[1:]
        if name != context
    ]
    run.__signature__ = shown.replace(parameters=parameters, return_annotation=result_class)  # type: ignore[attr-defined] # inspect looks there
    run.__name__ = made.function.__name__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _told(annotation: Any, schema: Any) -> Any:  # noqa: ANN401 - whatever stands in the signature; JSON
    """An annotation that the official server describes with a schema of ours, where that stands on its own."""
    if schema is None or '"$ref"' in dumps(schema):
        return annotation
    from pydantic import WithJsonSchema

    return Annotated[Any if annotation is Parameter.empty else annotation, WithJsonSchema(schema)]
