"""The scenarios of each JavaScript client that every server must pass: ours and the real Workers runtime."""

from __future__ import annotations

AGENT_CLIENT = (
    "identity",
    "identity_without_state",
    "state_reaches_the_other_client_once",
    "state_set_by_the_agent_arrives_before_the_reply",
    "rejected_state_is_taken_back",
    "calls",
    "calls_before_the_connection_is_open",
    "failing_calls",
    "call_timeout",
    "streaming",
    "streaming_that_fails",
    "readonly_connection",
    "custom_id_and_query",
    "base_path",
    "messages_both_ways",
    "large_values",
    "agent_fetch",
    "closed_for_good",
    "manual_reconnect",
    "sub_agents",
)
USE_AGENT = (
    "identity_and_first_state",
    "state_in_two_pages",
    "calls_and_errors",
    "streaming",
    "rejected_and_readonly_state",
    "custom_id_and_async_query",
    "http_url_of_the_agent",
    "mcp_servers",
    "sub_agents",
)
SMALL_CLIENT = ("state_and_calls", "rejected_state_is_taken_back", "streams", "closed_for_good")

RESTART = "server_killed_and_started_again"
"""Every client has it. It ends the server and starts it on the same storage and port."""

HIBERNATION = "hibernation"
"""`AgentClient` and `useAgent` have it. Given `idleMs`, after which the agent must have left memory."""
