"""Durable, addressable AI agents in Python: on your laptop, under pytest, and on Cloudflare Workers.

Every name is imported on first use, so that `import agents_runtime` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime._core.events import Event, Observability, subscribe
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.peer import CurrentAgent
    from agents_runtime._platform.base import stream_response
    from agents_runtime.agent import Agent
    from agents_runtime.connections.connection import Connection
    from agents_runtime.connections.handshake import ConnectionContext
    from agents_runtime.context import get_current_agent
    from agents_runtime.email.agent_email import AgentEmail
    from agents_runtime.email.headers import is_auto_reply_email
    from agents_runtime.email.resolvers import (
        EmailRoute,
        create_address_based_email_resolver,
        create_catch_all_email_resolver,
        create_header_based_email_resolver,
        create_secure_reply_email_resolver,
    )
    from agents_runtime.email.route import route_agent_email
    from agents_runtime.email.signing import sign_agent_headers
    from agents_runtime.errors import (
        AgentError,
        NonRetryableError,
        PeerError,
        RemoteError,
        RetryableError,
        RpcError,
        SqlError,
        UsageError,
    )
    from agents_runtime.mcp.oauth.options import McpOAuthClient
    from agents_runtime.mcp.protocol.messages import McpError
    from agents_runtime.mcp.server.auth import get_mcp_auth_context
    from agents_runtime.mcp.server.context import McpContext
    from agents_runtime.mcp.server.handler import create_mcp_handler
    from agents_runtime.mcp.server.register import register_mcp_tools
    from agents_runtime.mcp.server.server import McpServer
    from agents_runtime.mcp.sessions.tasks import continue_as_task
    from agents_runtime.mcp.tools.declare import call_tool, get_tool_methods, tool
    from agents_runtime.mcp_agent import McpAgent
    from agents_runtime.routing.cors import Cors
    from agents_runtime.routing.handle import AgentHandle
    from agents_runtime.routing.hooks import reject
    from agents_runtime.routing.lookup import get_agent_by_id, get_agent_by_name
    from agents_runtime.routing.retry import RoutingRetry
    from agents_runtime.routing.route import route_agent_request, route_agent_requests
    from agents_runtime.routing.urls import (
        build_agent_path,
        build_agent_url,
        camel_case_to_kebab_case,
        name_for,
    )
    from agents_runtime.rpc.decorate import CallableMetadata, call_callable, callable, get_callable_methods
    from agents_runtime.rpc.streaming import StreamingResponse
    from agents_runtime.sub_agents.lookup import get_sub_agent_by_name, route_sub_agent_request
    from agents_runtime.tasks.declare import task
    from agents_runtime.workflows.errors import WorkflowRejected
    from agents_runtime.workflows.workflow import AgentWorkflow

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agent",
    "AgentEmail": "email.agent_email",
    "AgentError": "errors",
    "AgentHandle": "routing.handle",
    "AgentOptions": "_core.options",
    "AgentWorkflow": "workflows.workflow",
    "CallableMetadata": "rpc.decorate",
    "Connection": "connections.connection",
    "ConnectionContext": "connections.handshake",
    "Cors": "routing.cors",
    "CurrentAgent": "_core.peer",
    "EmailRoute": "email.resolvers",
    "Event": "_core.events",
    "McpAgent": "mcp_agent",
    "McpContext": "mcp.server.context",
    "McpError": "mcp.protocol.messages",
    "McpOAuthClient": "mcp.oauth.options",
    "McpServer": "mcp.server.server",
    "NonRetryableError": "errors",
    "Observability": "_core.events",
    "PeerError": "errors",
    "RemoteError": "errors",
    "RetryableError": "errors",
    "RoutingRetry": "routing.retry",
    "RpcError": "errors",
    "SqlError": "errors",
    "StreamingResponse": "rpc.streaming",
    "UsageError": "errors",
    "WorkflowRejected": "workflows.errors",
    "build_agent_path": "routing.urls",
    "build_agent_url": "routing.urls",
    "call_callable": "rpc.decorate",
    "call_tool": "mcp.tools.declare",
    "callable": "rpc.decorate",
    "camel_case_to_kebab_case": "routing.urls",
    "create_address_based_email_resolver": "email.resolvers",
    "create_catch_all_email_resolver": "email.resolvers",
    "create_header_based_email_resolver": "email.resolvers",
    "continue_as_task": "mcp.sessions.tasks",
    "create_mcp_handler": "mcp.server.handler",
    "create_secure_reply_email_resolver": "email.resolvers",
    "get_agent_by_id": "routing.lookup",
    "get_agent_by_name": "routing.lookup",
    "get_callable_methods": "rpc.decorate",
    "get_current_agent": "context",
    "get_mcp_auth_context": "mcp.server.auth",
    "get_sub_agent_by_name": "sub_agents.lookup",
    "get_tool_methods": "mcp.tools.declare",
    "is_auto_reply_email": "email.headers",
    "name_for": "routing.urls",
    "register_mcp_tools": "mcp.server.register",
    "reject": "routing.hooks",
    "route_agent_email": "email.route",
    "route_agent_request": "routing.route",
    "route_agent_requests": "routing.route",
    "route_sub_agent_request": "sub_agents.lookup",
    "sign_agent_headers": "email.signing",
    "stream_response": "_platform.base",
    "subscribe": "_core.events",
    "task": "tasks.declare",
    "tool": "mcp.tools.declare",
}

__all__ = [
    "Agent",
    "AgentEmail",
    "AgentError",
    "AgentHandle",
    "AgentOptions",
    "AgentWorkflow",
    "CallableMetadata",
    "Connection",
    "ConnectionContext",
    "Cors",
    "CurrentAgent",
    "EmailRoute",
    "Event",
    "McpAgent",
    "McpContext",
    "McpError",
    "McpOAuthClient",
    "McpServer",
    "NonRetryableError",
    "Observability",
    "PeerError",
    "RemoteError",
    "RetryableError",
    "RoutingRetry",
    "RpcError",
    "SqlError",
    "StreamingResponse",
    "UsageError",
    "WorkflowRejected",
    "__version__",
    "build_agent_path",
    "build_agent_url",
    "call_callable",
    "call_tool",
    "callable",
    "camel_case_to_kebab_case",
    "continue_as_task",
    "create_address_based_email_resolver",
    "create_catch_all_email_resolver",
    "create_header_based_email_resolver",
    "create_mcp_handler",
    "create_secure_reply_email_resolver",
    "get_agent_by_id",
    "get_agent_by_name",
    "get_callable_methods",
    "get_current_agent",
    "get_mcp_auth_context",
    "get_sub_agent_by_name",
    "get_tool_methods",
    "is_auto_reply_email",
    "name_for",
    "register_mcp_tools",
    "reject",
    "route_agent_email",
    "route_agent_request",
    "route_agent_requests",
    "route_sub_agent_request",
    "sign_agent_headers",
    "stream_response",
    "subscribe",
    "task",
    "tool",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
