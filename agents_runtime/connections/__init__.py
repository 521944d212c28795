"""The WebSockets of an agent: who is connected, what is kept with each connection, and what arrives.

Import from the modules; this package imports nothing by itself.
"""
