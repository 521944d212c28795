"""From a request, a name or an id to the agent meant: URLs, look-up, hooks, CORS, retries.

Import from the modules; this package imports nothing by itself.
"""
