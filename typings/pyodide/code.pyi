# How Pyodide calls functions, which exists on Workers only.
from collections.abc import Callable
from typing import Any

def relaxed_call(function: Callable[..., Any], /, *args: Any) -> Any: ...
