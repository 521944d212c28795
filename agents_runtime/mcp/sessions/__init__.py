"""Durable legacy sessions: each lives in one Durable Object and survives its sleep, its restart and its client's.

Import from the modules; this package imports nothing by itself.
"""
