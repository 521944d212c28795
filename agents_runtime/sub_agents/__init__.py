"""Agents inside an agent: each with a state, tables and schedules of its own, reached through the one around it.

A parent creates, lists and deletes its children and calls them with `sub_agent`; clients reach them with `/sub/` URLs
that pass the parent's gate. The root at the top holds the one alarm and every WebSocket; children see their own.
"""
