"""The client side of MCP: connections of an agent to servers, in both eras.

Import from the modules; this package imports nothing by itself.
"""
