"""The MCP servers an agent uses.

Import from the modules; this package imports nothing by itself.
"""
