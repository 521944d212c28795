"""Methods that clients call over their WebSocket: declaring them, checking what arrives, answering, streaming.

Import from the modules; this package imports nothing by itself.
"""
