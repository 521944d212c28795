"""MCP on plain data: versions, messages, headers, event streams, results. Pure; used by servers and clients.

Import from the modules; this package imports nothing by itself.
"""
