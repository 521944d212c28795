"""The test kit: agents under plain pytest, with time, sleep, crashes and the disk in the test's hands.

The fixtures `runtime` and `runtime_factory` come with the package; nothing has to be imported for them. The names
here are for type annotations and `pytest.raises`. How to use it all: docs/how-to/testing.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime.testing.calls import CallFailed, CallStream
    from agents_runtime.testing.client import FrameMissing, TestClient
    from agents_runtime.testing.connecting import ConnectRefused
    from agents_runtime.testing.factory import RuntimeFactory
    from agents_runtime.testing.faults import FaultPoint, InjectedFault
    from agents_runtime.testing.guard import NetworkRefused
    from agents_runtime.testing.handle import ObjectHandle
    from agents_runtime.testing.introspection import Introspection, JobReport, StepReport, TaskReport
    from agents_runtime.testing.options import RuntimeOptions
    from agents_runtime.testing.passing import RunawayTimers
    from agents_runtime.testing.reports import ObjectError
    from agents_runtime.testing.runtime import Runtime
    from agents_runtime.testing.sweep import SweepReport

__all__ = [
    "CallFailed",
    "CallStream",
    "ConnectRefused",
    "FaultPoint",
    "FrameMissing",
    "InjectedFault",
    "Introspection",
    "JobReport",
    "NetworkRefused",
    "ObjectError",
    "ObjectHandle",
    "RunawayTimers",
    "Runtime",
    "RuntimeFactory",
    "RuntimeOptions",
    "StepReport",
    "SweepReport",
    "TaskReport",
    "TestClient",
]

_HOMES = {
    "ObjectHandle": "handle",
    "CallFailed": "calls",
    "CallStream": "calls",
    "ConnectRefused": "connecting",
    "FaultPoint": "faults",
    "FrameMissing": "client",
    "InjectedFault": "faults",
    "Introspection": "introspection",
    "JobReport": "introspection",
    "NetworkRefused": "guard",
    "ObjectError": "reports",
    "RunawayTimers": "passing",
    "Runtime": "runtime",
    "RuntimeFactory": "factory",
    "RuntimeOptions": "options",
    "StepReport": "introspection",
    "SweepReport": "sweep",
    "TaskReport": "introspection",
    "TestClient": "client",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    """Import a name on first use: the plug-in is loaded in every pytest run and must stay light."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
