"""Objects with children of their own: what the platform calls facets."""

from __future__ import annotations

import asyncio
from typing import Any

from workers import DurableObject, Response, python_from_rpc, python_to_rpc


class Facet(DurableObject):
    """A child. It keeps notes and counts its calls."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.calls = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)")

    def note(self, text: str) -> None:
        self.ctx.storage.sql.exec("INSERT INTO notes VALUES (?)", text)

    def notes(self) -> list[str]:
        return [row.text for row in self.ctx.storage.sql.exec("SELECT text FROM notes ORDER BY rowid")]

    def count(self) -> int:
        """How many times this life of the facet was asked."""
        self.calls += 1
        return self.calls

    def who(self) -> list[str | None]:
        """Its id, and the name in it."""
        own: Any = self.ctx.id
        return [own, None] if isinstance(own, str) else [own.toString(), own.name]

    def fail(self) -> None:
        raise ValueError("the facet cannot")

    async def set_alarm(self) -> None:
        await self.ctx.storage.setAlarm(4_000_000_000_000)

    def die(self) -> None:
        self.ctx.abort("on purpose")

    async def fetch(self, request):
        return Response(f"{request.method.value} {request.url}")

    async def go_deeper(self) -> list[Any]:
        try:
            return [1, *python_from_rpc(await self._stub("deep").go_deeper())]
        except Exception as failure:
            return [str(failure).strip().splitlines()[-1]]

    def _stub(self, name: str, identity: str | None = None) -> Any:
        start: dict[str, Any] = {"class": self.ctx.exports.Facet}
        if identity is not None:
            start["id"] = identity
        return self.ctx.facets.get(name, start_options(start))


class Parent(Facet):
    """An object whose children are facets."""

    def has_facets(self) -> bool:
        return hasattr(self.ctx, "facets")

    async def child(self, name: str, method: str, *args: Any) -> Any:
        """Call a method of a facet, which is made by the first call."""
        result = await getattr(self._stub(name), method)(*map(python_to_rpc, args))
        return python_from_rpc(result)

    async def child_with_id(self, name: str, identity: str, method: str) -> Any:
        return python_from_rpc(await getattr(self._stub(name, identity), method)())

    async def abort_child(self, name: str, reason: str) -> str:
        """Abort a facet; what a stub from before says then."""
        stub = self._stub(name)
        await stub.count()
        self.ctx.facets.abort(name, error(reason))
        try:
            await stub.count()
        except Exception as failure:
            return str(failure)
        return "it answers"

    async def let_child_die(self, name: str) -> list[Any]:
        """A facet aborts itself; what its caller sees, and whether the next call finds a new one."""
        await self._stub(name).count()
        try:
            await self._stub(name).die()
        except Exception as failure:
            seen = str(failure)
        else:
            seen = "it answered"
        return [seen, python_from_rpc(await self._stub(name).count())]

    async def fetch_child(self, name: str) -> list[Any]:
        response = await self._stub(name).fetch("http://facet/path?x=1")
        return [response.status, await response.text()]

    async def forget_with_child(self, name: str) -> list[Any]:
        """Delete everything while a facet is in memory: what becomes of the life it was in, and of its data."""
        await self._stub(name).note("old")
        before = python_from_rpc(await self._stub(name).count())
        await self.ctx.storage.deleteAll()
        try:
            after = python_from_rpc(await self._stub(name).count())
        except Exception as failure:
            after = type(failure).__name__
        return [before, after]

    async def too_long(self) -> str:
        try:
            await self._stub("x" * 257).count()
        except Exception as failure:
            return str(failure)
        return "it answers"

    async def too_deep(self) -> list[Any]:
        """Ask for facets in facets until that is refused."""
        return [1, *python_from_rpc(await self._stub("deep").go_deeper())]

    async def race(self, name: str) -> list[Any]:
        """Two first calls at once reach one facet."""
        return sorted(map(python_from_rpc, await asyncio.gather(self._stub(name).count(), self._stub(name).count())))

    def delete_child(self, name: str) -> None:
        self.ctx.facets.delete(name)

    async def forget_everything(self) -> None:
        await self.ctx.storage.deleteAll()


def start_options(start: dict[str, Any]) -> Any:
    """A function that says how a facet starts, as the host takes it."""
    try:
        from js import Object
        from pyodide.ffi import create_proxy, to_js
    except ImportError:
        return lambda: start
    return create_proxy(lambda: to_js(start, dict_converter=Object.fromEntries))


def error(text: str) -> Any:
    """An error of the host's own kind."""
    try:
        from js import Error
    except ImportError:
        return text
    return Error.new(text)
