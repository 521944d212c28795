"""MCP servers: what they offer, how a request is answered, and how that travels over HTTP.

Import from the modules; this package imports nothing by itself.
"""
