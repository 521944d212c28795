# JavaScript globals, which exist on Workers only.
from typing import Any

def __getattr__(name: str) -> Any: ...
