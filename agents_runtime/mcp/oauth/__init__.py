"""Authorization at MCP servers: OAuth 2.1 as a client, one durable step at a time.

Most modules decide and do no I/O; `authorization.py` carries their decisions out over the platform's ports. Import from
the modules; this package imports nothing by itself.
"""
