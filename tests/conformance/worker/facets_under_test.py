"""Objects with children of their own: what the platform calls facets. Only the real runtime has them."""

from __future__ import annotations

from typing import Any

from workers import DurableObject, python_from_rpc, python_to_rpc


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
        from js import Error

        stub = self._stub(name)
        await stub.count()
        self.ctx.facets.abort(name, Error.new(reason))
        try:
            await stub.count()
        except Exception as error:
            return str(error)
        return "it answers"

    def delete_child(self, name: str) -> None:
        self.ctx.facets.delete(name)

    def die(self) -> None:
        self.ctx.abort("on purpose")

    async def forget_everything(self) -> None:
        await self.ctx.storage.deleteAll()

    def _stub(self, name: str, identity: str | None = None) -> Any:
        from js import Object
        from pyodide.ffi import create_proxy, to_js

        start: dict[str, Any] = {"class": self.ctx.exports.Facet}
        if identity is not None:
            start["id"] = identity
        return self.ctx.facets.get(name, create_proxy(lambda: to_js(start, dict_converter=Object.fromEntries)))
