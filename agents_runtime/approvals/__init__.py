"""Waiting for a person: requests that outlive the agent's memory, and the decisions on them.

Import from the modules; this package imports nothing by itself.
"""
