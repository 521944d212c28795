"""The agent's state: one JSON value, stored, validated and sent to every client on each change.

Import from the modules; this package imports nothing by itself.
"""
