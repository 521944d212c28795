"""The Python half of the class bridge: converts arguments and results, as the platform's own entrypoint does."""

import inspect
import sys

from pyodide.code import relaxed_call

USER_FILES = "/session/metadata"
PACKAGES = "/session/metadata/python_modules"


def set_up_path():
    """Put the user's files and packages where the platform has them: before Pyodide's own packages."""
    here = next((i for i, entry in enumerate(sys.path) if "site-packages" in entry), len(sys.path))
    sys.path[here:here] = [USER_FILES, PACKAGES]


async def call_raw(instance, name, *args):
    """Call a handler that gets JavaScript's own objects: `alarm`, `webSocketMessage` and their like."""
    result = relaxed_call(_method(instance, name), *args)
    return await result if inspect.isawaitable(result) else result


async def call_converted(relaxed, instance, name, *args):
    """Call `fetch` or a method over RPC: arguments and result pass through the SDK's converters."""
    from workers import python_from_rpc, python_to_rpc

    method = _method(instance, name)
    values = [python_from_rpc(value) for value in args]
    result = relaxed_call(method, *values) if relaxed else method(*values)
    return python_to_rpc(await result if inspect.isawaitable(result) else result)


def _method(instance, name):
    method = getattr(instance, name, None)
    if not callable(method):
        raise TypeError(f"Method {name} does not exist")
    return method
