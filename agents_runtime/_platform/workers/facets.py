"""The platform's facets: objects inside an object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any

import js
import workers
from pyodide.ffi import JsProxy, create_proxy, to_js

from agents_runtime.errors import UsageError

_from_rpc: Callable[[Any], Any] = workers.python_from_rpc
_to_rpc: Callable[[Any], Any] = workers.python_to_rpc


class WorkersFacets:
    """The port's `Facets`."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    def classes(self) -> Collection[str]:
        exports = getattr(self._ctx, "exports", None)
        return list(js.Object.keys(exports)) if isinstance(exports, JsProxy) else []

    def get(self, key: str, class_name: str, identity: str) -> FacetStub:
        return FacetStub(self._ctx, key, class_name, identity)

    def abort(self, key: str, reason: str) -> None:
        self._facets().abort(key, js.Error.new(reason))

    def delete(self, key: str) -> None:
        self._facets().delete(key)

    def _facets(self) -> Any:
        return facets_of(self._ctx)


class FacetStub:
    """A handle on one facet. The platform's own lives as long as the event that made it, so each call makes one."""

    def __init__(self, ctx: Any, key: str, class_name: str, identity: str) -> None:
        self._ctx = ctx
        self._key = key
        self._class_name = class_name
        self._identity = identity

    async def fetch(self, request: Any, **init: Any) -> Any:
        stub, start = self._connect()
        try:
            return await workers.fetch(request, fetcher=stub.fetch, **init)
        finally:
            start.destroy()

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def remote_method(*args: Any) -> Any:
            stub, start = self._connect()
            try:
                return _from_rpc(await getattr(stub, name)(*map(_to_rpc, args)))
            finally:
                start.destroy()

        return remote_method

    def _connect(self) -> tuple[Any, Any]:
        start = create_proxy(self._start)
        return facets_of(self._ctx).get(self._key, start), start

    def _start(self) -> Any:
        options = {"class": getattr(self._ctx.exports, self._class_name), "id": self._identity}
        return to_js(options, dict_converter=js.Object.fromEntries)


def facets_of(ctx: Any) -> Any:
    """The platform's own object. Raises UsageError where it has none."""
    facets = getattr(ctx, "facets", None)
    if not isinstance(facets, JsProxy):
        raise UsageError("sub-agents are not supported by this runtime: set a later compatibility_date")
    return facets
