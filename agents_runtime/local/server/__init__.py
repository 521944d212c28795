"""The HTTP and WebSocket server of the local host: a plain ASGI application and a WebSocket protocol for uvicorn."""
