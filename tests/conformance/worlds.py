"""One worker, three hosts: what the conformance suite may do from outside, and how each host does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket

from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions
from agents_runtime.local.project import Project
from agents_runtime.local.shim.request import Request
from agents_runtime.local.values import JsException
from tests.workerd.rig import RemoteError, Rig

FRAME_S = 10.0
ORIGIN = "http://worker.test"
UPGRADE = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read to its end."""

    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.text)


class Refused(Exception):
    """Raised when an upgrade was not answered with 101. The status is 0 when it was not answered at all."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upgrade was answered with {status}")
        self.status = status


class Closed(Exception):
    """Raised when a frame is awaited, or sent, and the connection has ended."""


class Wire(Protocol):
    """The client's end of a WebSocket."""

    async def send(self, data: str | bytes) -> None: ...
    async def receive(self) -> str | bytes: ...
    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Close it and return the code and reason of the answer."""
        ...

    async def ended(self) -> tuple[int, str]:
        """Wait until the other side closes it; the code and the reason."""
        ...

    async def drop(self) -> None:
        """Vanish without a close frame."""
        ...


class World(Protocol):
    """The worker under test, on one host. Calls carry only what JSON has."""

    @property
    def is_real(self) -> bool:
        """Whether this is the real runtime. Only tests of a declared difference ask."""
        ...

    async def call(self, binding: str, name: str, method: str, *args: Any) -> Any: ...
    async def fetch(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer: ...
    def stream(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Any: ...
    async def connect(self, path: str, **headers: str) -> Wire: ...
    async def evict(self, binding: str, name: str) -> None:
        """Make the host drop the object from memory. WebSockets stay open."""
        ...

    async def restart(self) -> None:
        """Stop the host and start it again on the same storage."""
        ...

    async def email(self, from_: str, to: str, raw: str) -> dict[str, Any]:
        """Deliver a mail, its bytes as Latin-1; says what became of it: `rejected`, `replies`, `forwards`."""
        ...

    async def sent_mails(self) -> list[dict[str, Any]]:
        """What agents sent through a binding since this was last asked: `from`, `to`, `subject`."""
        ...


class LocalPeer:
    """What the host's end of a WebSocket sends to, in place of the network."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[str | bytes | tuple[int, str]] = asyncio.Queue()

    def send(self, data: str | bytes) -> None:
        self.frames.put_nowait(data)

    def close(self, code: int, reason: str) -> None:
        self.frames.put_nowait((code, reason))


class LocalWire:
    """A WebSocket of the local host."""

    def __init__(self, end: Any) -> None:
        self._end = end
        self._peer = LocalPeer()
        end.attach(self._peer)

    async def send(self, data: str | bytes) -> None:
        self._end.receive(data)

    async def receive(self) -> str | bytes:
        frame = await self._next()
        if isinstance(frame, tuple):
            raise Closed(frame)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        self._end.receive_close(code, reason, True)
        return await self.ended()

    async def ended(self) -> tuple[int, str]:
        while not isinstance(frame := await self._next(), tuple):
            pass
        return frame

    async def drop(self) -> None:
        self._end.receive_close(1006, "WebSocket disconnected without sending Close frame.", False)

    async def _next(self) -> str | bytes | tuple[int, str]:
        async with asyncio.timeout(FRAME_S):
            return await self._peer.frames.get()


class LocalWorld:
    """The local host, in this process."""

    is_real = False

    def __init__(self, project: Project, data: Path | None) -> None:
        self._project = project
        self._data = data
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        assert self._host is not None
        return self._host

    async def start(self) -> None:
        store = None if self._host is None or self._data is not None else self._host.store
        self._host = Host(HostOptions(data=self._data), store=store)
        self._project.bind(self._host)
        await self._host.start()

    async def stop(self) -> None:
        await self.host.stop(grace_s=2)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def call(self, binding: str, name: str, method: str, *args: Any) -> Any:
        self.host.enter_worker()
        stub = getattr(self.host.env, binding).getByName(name)
        try:
            result = await getattr(stub, method)(*json.loads(json.dumps(args)))
        except JsException as error:
            raise RemoteError(error.name, error.message) from None
        return json.loads(json.dumps(result))

    async def fetch(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        try:
            response = await self._send(method, path, list(headers.items()), body)
        except Exception:
            return Answer(500, "Internal Server Error", {})
        return Answer(response.status, await response.text(), dict(response.headers.items()))

    @asynccontextmanager
    async def stream(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        response = await self._send(method, path, list(headers.items()), body)
        chunks = response.take_body()
        try:
            yield chunks
        finally:
            await chunks.aclose()

    async def connect(self, path: str, **headers: str) -> LocalWire:
        response = await self._send("GET", path, [*UPGRADE, *headers.items()], None)
        if response.status != 101:
            raise Refused(response.status)
        return LocalWire(response.web_socket)

    async def evict(self, binding: str, name: str) -> None:
        await self.host.evict(getattr(self.host.env, binding).idFromName(name))

    async def email(self, from_: str, to: str, raw: str) -> dict[str, Any]:
        room = self.host.mail
        before = {mail.id for mail in room.outbox.all()}
        message = room.receive(from_, to, raw.encode("latin-1"))
        async with asyncio.timeout(FRAME_S):
            await room.deliver(message)
        new = [mail for mail in room.outbox.all() if mail.id not in before]
        return {
            "rejected": message.reason,
            "replies": [
                {"from": mail.from_, "to": mail.to[0], "raw": mail.raw.decode("latin-1")}
                for mail in new
                if mail.kind == "reply"
            ],
            "forwards": [{"to": mail.to[0], "headers": dict(mail.message)} for mail in new if mail.kind == "forward"],
        }

    async def sent_mails(self) -> list[dict[str, Any]]:
        sent = [mail for mail in self.host.mail.outbox.all() if mail.kind == "send"]
        self.host.mail.outbox.clear()
        return [{"from": mail.from_, "to": list(mail.to), "subject": mail.subject} for mail in sent]

    async def _send(self, method: str, path: str, headers: list[tuple[str, str]], body: str | None) -> Any:
        content = None if body is None else body.encode()
        request = Request.from_server(method, ORIGIN + path, headers, content)
        async with asyncio.timeout(FRAME_S):
            return await self.host.fetch(request)


class RealWire:
    """A WebSocket over the network."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, data: str | bytes) -> None:
        try:
            await self._connection.send(data)
        except websockets.ConnectionClosed as error:
            raise Closed(self._connection.protocol.close_rcvd) from error

    async def receive(self) -> str | bytes:
        try:
            async with asyncio.timeout(FRAME_S):
                return await self._connection.recv()
        except websockets.ConnectionClosed as error:
            raise Closed(self._connection.protocol.close_rcvd) from error

    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        self._connection.protocol.send_close(code, reason)
        self._connection.send_data()
        return await self.ended()

    async def ended(self) -> tuple[int, str]:
        # The close frame counts: workerd may leave the TCP connection open for some time after it.
        async with asyncio.timeout(FRAME_S):
            while (end := self._connection.protocol.close_rcvd) is None:
                try:
                    await asyncio.wait_for(self._connection.recv(), 0.05)
                except TimeoutError:
                    continue
                except websockets.ConnectionClosed:
                    end = self._connection.protocol.close_rcvd
                    break
        return (1006, "") if end is None else (end.code, end.reason)

    async def drop(self) -> None:
        self._connection.transport.abort()
        await self._connection.wait_closed()


class WorkerdWorld:
    """The real runtime, in a process of its own."""

    is_real = True

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._wires: list[ClientConnection] = []

    async def stop(self) -> None:
        for connection in self._wires:
            connection.transport.abort()
            await connection.wait_closed()

    async def restart(self) -> None:
        await asyncio.to_thread(self.rig.stop)
        await asyncio.to_thread(self.rig.start)

    async def call(self, binding: str, name: str, method: str, *args: Any) -> Any:
        return await asyncio.to_thread(self.rig.call, binding, name, method, *args)

    async def fetch(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        async with self._client() as client:
            answer = await client.request(method, path, content=body, headers=headers)
            return Answer(answer.status_code, answer.text, dict(answer.headers))

    @asynccontextmanager
    async def stream(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._client() as client, client.stream(method, path, content=body, headers=headers) as answer:
            yield answer.aiter_raw()

    async def connect(self, path: str, **headers: str) -> RealWire:
        url = self.rig.url.replace("http", "ws") + path
        try:
            connection = await open_websocket(
                url, additional_headers=headers, open_timeout=FRAME_S, close_timeout=5, proxy=None, compression=None
            )
        except websockets.InvalidStatus as error:
            raise Refused(error.response.status_code) from None
        except (OSError, websockets.InvalidMessage):
            raise Refused(0) from None
        self._wires.append(connection)
        return RealWire(connection)

    async def evict(self, binding: str, name: str) -> None:
        await asyncio.to_thread(self.rig.evict, binding, name)

    async def email(self, from_: str, to: str, raw: str) -> dict[str, Any]:
        mail = {"from": from_, "to": to, "raw": raw}
        outcome: dict[str, Any] = await asyncio.to_thread(self.rig.control, "email", mail=mail)
        return outcome

    async def sent_mails(self) -> list[dict[str, Any]]:
        sent = await asyncio.to_thread(self.rig.control, "sent")
        return [
            {**mail, "from": mail["from"]["email"] if isinstance(mail["from"], dict) else mail["from"]} for mail in sent
        ]

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.rig.url, timeout=FRAME_S, trust_env=False, verify=False)
