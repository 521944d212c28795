"""The port: everything an agent may ask of the platform, in plain Python types.

Two adapters implement it: the local host (`agents_runtime.local`) and Cloudflare Workers. Nothing here
imports anything of ours, does I/O, or names a capability. Storage is synchronous on both platforms, so
most of the library is synchronous; a method is `async` only where the outside world is waited for.

Units: times are integer milliseconds since the epoch (`_ms`), durations are seconds (`_s`) unless named.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

SqlValue = str | int | float | bytes | bool | None
"""What may be bound to a statement. A bool is stored as 0 or 1."""

Row = dict[str, Any]
"""One result row: column name to str, int, float, bytes or None."""

T = TypeVar("T")


class SqlStore(Protocol):
    """SQLite of one object. Writes of one event-loop turn share one commit."""

    def execute(self, query: str, *params: SqlValue) -> list[Row]:
        """Run one statement and return its rows.

        A Python int reaches SQLite as REAL, as on Workers; a column of INTEGER affinity turns it back.

        Raises:
            ValueError: an int beyond 2**53 - 2 in size, or a value that is no `SqlValue`.
            Exception: SQLite refused; the text is SQLite's. The caller wraps it in `SqlError`.
        """
        ...

    @property
    def undone(self) -> int | None:
        """How many transactions were undone so far: caches may be wrong after one. None: the platform does not tell."""
        ...

    def transaction(self, work: Callable[[], T]) -> T:
        """Run `work` atomically: an exception rolls back its writes and is raised again. Nests."""
        ...


class KeyValue(Protocol):
    """Small values by key, in the same database and the same commit as `SqlStore`."""

    def get(self, key: str) -> Any: ...
    def put(self, key: str, value: Any) -> None: ...
    def delete(self, key: str) -> bool: ...

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that start with a text that is not empty, in the order of their UTF-8 bytes."""
        ...


class Alarm(Protocol):
    """The object's one wake-up slot; it survives eviction and restart."""

    def get_ms(self) -> int | None: ...
    def set_ms(self, when_ms: int | None) -> None:
        """Arm the alarm, or clear it with None. Committed with the writes of the same turn."""
        ...

    def fired(self) -> None:
        """Take note that the alarm's handler begins: the slot is empty from now on, until it is set."""
        ...


class Clock(Protocol):
    """Time. Tests move it by hand."""

    def now_ms(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...


class Entropy(Protocol):
    """Chance. Tests seed it."""

    def random_bytes(self, size: int) -> bytes: ...
    def random(self) -> float:
        """A float in [0, 1)."""
        ...


class Socket(Protocol):
    """The server end of one hibernatable WebSocket.

    Two `Socket` objects may stand for one WebSocket; `key` is equal then. Not valid after eviction.
    """

    @property
    def key(self) -> int:
        """Hashable identity of the WebSocket within this life of the object."""
        ...

    @property
    def is_open(self) -> bool: ...

    @property
    def tags(self) -> Sequence[str]: ...

    def send(self, data: str | bytes) -> None:
        """Send a frame once the writes made so far are committed. A closed socket raises `SocketClosed`."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after what was sent before. 1005 and 1006 become a close without a code. Repeating is harmless."""
        ...

    def read_attachment(self) -> str | None: ...

    def write_attachment(self, text: str) -> None:
        """Keep a text of at most 16,384 bytes with the socket across hibernation; more raises ValueError."""
        ...


class Sockets(Protocol):
    """All WebSockets that this object has accepted and that still count."""

    def accept(self, tags: Sequence[str], attachment: str) -> tuple[Socket, Any]:
        """Accept an upgrade. Returns the server end and the `workers.Response` (101) to return from `fetch`."""
        ...

    def refuse(self, code: int, reason: str) -> Any:
        """The response to an upgrade that accepts a WebSocket and closes it at once, since browsers read no status."""
        ...

    def all(self, tag: str | None = None) -> Sequence[Socket]:
        """Open sockets, newest first; only those with `tag` when it is given."""
        ...

    def wrap(self, raw: Any) -> Socket:
        """The `Socket` for the platform's own object, as handed to `webSocketMessage`."""
        ...

    def set_auto_response(self, request: str, response: str) -> None:
        """Answer a text frame without waking the object. At most 2,048 bytes each."""
        ...


class ObjectId(Protocol):
    """Which object this is."""

    @property
    def hex(self) -> str: ...
    @property
    def name(self) -> str | None:
        """The name it was addressed by; None for unique ids and where the platform forgot it."""
        ...


class Stub(Protocol):
    """A handle on another object. Any other attribute is a remote method: `await stub.method(*args)`."""

    async def fetch(self, request: Any, **init: Any) -> Any: ...
    def __getattr__(self, name: str) -> Any: ...


class Facets(Protocol):
    """Objects inside this object, each with storage of its own. They have no alarm and no WebSockets."""

    def classes(self) -> Collection[str]:
        """The names of the classes that the worker exports."""
        ...

    def get(self, key: str, class_name: str, identity: str) -> Stub:
        """A handle on the one of this key, for one call. It is made by the first call, and `identity` is its id then.

        Raises:
            Exception: the platform's own: the key has more than 256 bytes, or the object is three levels deep already.
        """
        ...

    def abort(self, key: str, reason: str) -> None:
        """Drop its memory, and let whatever runs in it fail."""
        ...

    def delete(self, key: str) -> None:
        """Drop it and delete what it stored, at once. One that is not there is fine."""
        ...


class Namespace(Protocol):
    """A Durable Object binding. Names are the platform's."""

    def idFromName(self, name: str) -> Any: ...
    def idFromString(self, text: str) -> Any: ...
    def get(self, object_id: Any, options: Any = None) -> Any: ...
    def jurisdiction(self, jurisdiction: str) -> Any: ...


class HttpAnswer(Protocol):
    """An answer to `Fetch`: its head is here, its body still to come. Read it to the end or close it."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name; several of one name are joined with ", "."""
        ...

    async def read(self, limit: int) -> bytes:
        """Read the whole body and close it. FetchFailed: it has more than `limit` bytes, breaks off, or takes too long.

        The time limit is the `timeout_s` of the request, once more.
        """
        ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """Iterate over the body as it arrives, for as long as the server takes. FetchFailed: it breaks off.

        Use it with `contextlib.aclosing` where the loop may be left early.
        """
        ...

    async def close(self) -> None:
        """Give up what has not been read. Repeating is harmless."""
        ...


class Fetch(Protocol):
    """HTTP requests to other machines."""

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] = ..., body: bytes | None = None, timeout_s: float
    ) -> HttpAnswer:
        """Send a request and return once the head of the answer is there. Redirects are answers like others.

        `timeout_s` is real time. No cookies are kept and nothing is retried. Answers are asked for uncompressed.

        Raises:
            FetchFailed: the server cannot be reached, broke off, or did not answer in time.
        """
        ...


class Envelope(NamedTuple):
    """What is known of a received mail without reading it."""

    sender: str
    recipient: str
    headers: list[tuple[str, str]]
    size_bytes: int


class Mail(Protocol):
    """E-mail, as a worker receives and sends it. `message` and `binding` are the platform's own objects."""

    def read_envelope(self, message: Any) -> Envelope: ...
    async def read(self, message: Any, limit_bytes: int) -> bytes:
        """Read the whole mail. ValueError: it has more than `limit_bytes`."""
        ...

    def set_reject(self, message: Any, reason: str) -> None: ...
    async def forward(self, message: Any, recipient: str, headers: Mapping[str, str]) -> None: ...
    async def reply(self, message: Any, sender: str, recipient: str, raw: bytes) -> None: ...
    async def send(self, binding: Any, fields: Mapping[str, Any]) -> Any:
        """Send a mail made of the fields that the platform's `send` takes, and return what it says."""
        ...


class Platform(Protocol):
    """One object's view of its machine."""

    @property
    def id(self) -> ObjectId: ...
    @property
    def sql(self) -> SqlStore: ...
    @property
    def kv(self) -> KeyValue: ...
    @property
    def alarm(self) -> Alarm: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def sockets(self) -> Sockets: ...

    @property
    def fetch(self) -> Fetch: ...

    @property
    def facets(self) -> Facets: ...

    @property
    def inner_identity(self) -> str | None:
        """The text that the object around this one gave it as its id; None for an object that stands alone."""
        ...

    @property
    def is_debug(self) -> bool:
        """Whether answers to failed requests may carry details. For development only."""
        ...

    def namespaces(self) -> Mapping[str, Namespace]:
        """Durable Object bindings of the environment, by binding name."""
        ...

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` in the background; the object stays in memory until it ends. Its exceptions are logged."""
        ...

    async def block_concurrency(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` while no other event enters the object. If it raises, the object is reset."""
        ...

    async def committed(self) -> None:
        """Return once every write made so far is durable."""
        ...

    async def delete_all(self) -> None:
        """Delete every table, key and the alarm. The object in memory stays."""
        ...

    def abort(self, reason: str, *, retry_alarm: bool = True) -> NoReturn:
        """Drop the object's memory now; uncommitted writes are lost. Raises `Evicted`, a BaseException."""
        ...
