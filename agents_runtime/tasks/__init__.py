"""Durable functions: named, run to their end through crashes and restarts, each step journaled and done once.

Import from the modules; this package imports nothing by itself.
"""
