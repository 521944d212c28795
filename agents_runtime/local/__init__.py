"""The local host: Durable Objects on plain CPython, one SQLite database per object."""
