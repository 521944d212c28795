"""Capabilities: the parts an agent is made of, and the descriptor that declares them.

A class body of `@capability` methods is the table of contents of an agent. Each part is built once, on first use, from
what its constructor names, and is a plain attribute from then on. A subclass replaces a part by overriding its method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from agents_runtime._core.peer import Peer
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import SqlStore

FrameHandler = Callable[[Peer, dict[str, Any]], Awaitable[None] | None]
"""Handles a decoded frame: something to wait for, or None when the frame is none of its own after all."""


class Done:
    """An awaitable that is done: what acts at once returns it, so that it may be awaited all the same."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return cast("Generator[Any, Any, None]", iter(()))

    def __repr__(self) -> str:
        return "<done>"


DONE = Done()


class Capability:
    """One part of an agent. Override the phases that matter to it; all others cost nothing."""

    def frames(self) -> Mapping[str, FrameHandler]:
        """Handlers of client frames, by the frame's `type`."""
        return {}

    def greeting(self) -> Iterable[str]:
        """Frames for a new connection, in order."""
        return ()

    async def on_start(self) -> None:
        """Get ready, before the first event of this life is handled."""

    async def on_started(self) -> None:
        """Go on after the user's `on_start`, still before the first event."""

    async def on_request(self, request: object) -> object | None:
        """Answer an HTTP request, or return None to leave it to the next part and then to the user."""

    def on_disconnect(self, peer: Peer) -> None:
        """Let go of what belongs to a connection that is gone."""

    async def on_alarm(self, now_ms: int) -> None:
        """Do what is due."""

    def next_wake_ms(self) -> int | None:
        """When this part next needs `on_alarm`; None when nothing is pending."""

    async def on_destroy(self) -> None:
        """Release what lives outside the storage, which is deleted right after."""


Part = TypeVar("Part", bound=Capability, covariant=True)
OwnPart = TypeVar("OwnPart", bound=Capability)

_FREE = Capability()


class capability(Generic[Part]):
    """Declare a part of the agent: the method builds it, the attribute is it.

    An eager part (the default) is built when the agent starts, so that its phases run. A lazy one is built when
    something first asks for it, and a stored one also at the start of an agent that has stored something for it; their
    modules are imported inside the method, so that agents which do without them do not pay for them.
    """

    def __init__(
        self, build: Callable[[Any], Part], *, is_lazy: bool = False, tables: frozenset[str] = frozenset()
    ) -> None:
        self._build = build
        self._name = ""
        self.is_lazy = is_lazy
        self.tables = tables
        """Tables whose existence in the agent's storage means that the part has work to look after."""
        self.__doc__ = build.__doc__

    @staticmethod
    def lazy(build: Callable[[Any], OwnPart]) -> capability[OwnPart]:
        """Declare a part that is built when something first asks for it."""
        return capability(build, is_lazy=True)

    @staticmethod
    def stored(*tables: str) -> Callable[[Callable[[Any], OwnPart]], capability[OwnPart]]:
        """Declare a part that is built at the start of an agent with one of these tables, or when first asked for."""
        return lambda build: capability(build, is_lazy=True, tables=frozenset(tables))

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> capability[Part]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Part: ...
    def __get__(self, instance: object | None, owner: type) -> Part | capability[Part]:
        if instance is None:
            return self
        attributes = instance.__dict__
        part = attributes[self._name] = self._build(instance)
        parts: Parts | None = attributes.get("_parts")
        if parts is not None:
            parts.grown()
        return part


def declared(cls: type) -> dict[str, capability[Any]]:
    """The capabilities of a class by name, in order of declaration, the base classes' first."""
    names = dict.fromkeys(
        name for base in reversed(cls.__mro__) for name, value in vars(base).items() if isinstance(value, capability)
    )
    found = {name: getattr(cls, name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, capability)}


def stored_tables(sql: SqlStore) -> set[str]:
    """The tables of capabilities that an agent's storage has."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'cf_agents_%'"
    return {row["name"] for row in sql.execute(query)}


class Parts:
    """The capabilities of one agent, asked phase by phase in order of declaration."""

    def __init__(
        self, owner: object, declarations: Mapping[str, capability[Any]], tables: Callable[[], Collection[str]]
    ) -> None:
        self._owner = owner
        self._declarations = declarations
        self._tables = tables
        self._stored: list[str] | None = None
        self._phases: dict[str, list[Any]] = {}

    def grown(self) -> None:
        """Take note that a part was built: it takes part in the phases from now on."""
        self._phases.clear()

    def check_names(self) -> None:
        """Raise UsageError if the user's code put something of its own where a part belongs."""
        for name in self._declarations:
            if not isinstance(vars(self._owner).get(name, _FREE), Capability):
                cls = type(self._owner).__name__
                raise UsageError(f"self.{name} is a part of Agent and was replaced: rename the attribute in {cls}")

    def eager(self) -> list[Capability]:
        """Every part that is not lazy, has something stored, or was asked for already; built now where it was not."""
        built = vars(self._owner)
        if self._stored is None:
            found = frozenset(self._tables())
            self._stored = [name for name, declaration in self._declarations.items() if declaration.tables & found]
        return [
            getattr(self._owner, name)
            for name, declaration in self._declarations.items()
            if not declaration.is_lazy or name in built or name in self._stored
        ]

    def built(self) -> list[Capability]:
        """Every part that exists."""
        built = vars(self._owner)
        return [built[name] for name in self._declarations if name in built]

    def phase(self, name: str) -> list[Any]:
        """The bound methods of that name, of the parts that override it. Parts without any work do not count."""
        methods = self._phases.get(name)
        if methods is None:
            default = getattr(Capability, name)
            parts = self.eager()  # may build some, which empties the cache
            methods = self._phases[name] = [
                getattr(part, name) for part in parts if getattr(type(part), name) is not default
            ]
        return methods

    def frames(self) -> dict[str, FrameHandler]:
        """Every frame handler by frame type; the part declared first keeps a type."""
        handlers: dict[str, FrameHandler] = {}
        for part in self.eager():
            for kind, handler in part.frames().items():
                handlers.setdefault(kind, handler)
        return handlers
