"""One WebSocket connection: an asyncio protocol between the network and a `ClientEnd`.

uvicorn hands over a connection when it sees an upgrade. From then on every frame of a read goes straight to
`ClientEnd.receive`, without tasks or queues in between, and what the object sends leaves in one write per turn.
Reading stops while the object is behind, or while the client does not read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from websockets.frames import Close, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from agents_runtime.local.server.handshake import (
    BadHandshake,
    Handshake,
    accept,
    accepted_head,
    parse_head,
    response_head,
    worker_fields,
)
from agents_runtime.local.server.limits import MIB

if TYPE_CHECKING:
    from uvicorn.server import ServerState
    from websockets.frames import Frame

    from agents_runtime.local.server.pool import SocketPool
    from agents_runtime.local.shim.response import Response
    from agents_runtime.local.sockets import ClientEnd

logger = logging.getLogger("agents_runtime.local.server")
codec_logger = logging.getLogger("agents_runtime.local.server.frames")
codec_logger.setLevel(logging.WARNING)

SHAKING, OPEN, CLOSING, ENDED = range(4)
"""`CLOSING`: our close frame is out. `ENDED`: whatever still arrives is thrown away."""

BEHIND, UNREAD = 1, 2
"""Reasons for not reading: the object has a backlog; the client does not read."""

ABNORMAL, NO_STATUS, BAD_DATA, TRY_LATER = 1006, 1005, 1007, 1013
MAX_REASON_BYTES = 123
MAX_EARLY_BYTES = MIB
MAX_REFUSAL_BYTES = MIB
BATCH_BYTES = MIB
HIGH_WATER_BYTES, LOW_WATER_BYTES = 4 * MIB, MIB


class SocketProtocol(asyncio.Protocol):
    """Serves one WebSocket, from the upgrade request to the end of the connection."""

    def __init__(self, pool: SocketPool, server_state: ServerState) -> None:
        self._pool = pool
        self._limits = pool.limits
        self._server_state = server_state
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._codec: ServerProtocol = cast("ServerProtocol", None)
        self._end: ClientEnd | None = None
        self._phase = SHAKING
        self._head: Handshake | None = None
        self._early = bytearray()
        self._parts = bytearray()
        self._is_text = False
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._is_waiting = False
        self._held_bytes = 0
        self._paused = 0
        self._is_quiet = False
        self._is_pinged = False
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=LOW_WATER_BYTES)
        self._pool.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell_closed(ABNORMAL, "", was_clean=False)
        self._phase = ENDED
        self._out.clear()
        self._pool.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._pause(UNREAD)

    def resume_writing(self) -> None:
        self._resume(UNREAD)

    def shutdown(self) -> None:
        """Told by uvicorn that the server stops; the host closes the sockets when it has committed."""

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    # The opening handshake

    def data_received(self, data: bytes) -> None:
        self._is_quiet = False
        if self._phase == OPEN or self._phase == CLOSING:
            self._read(data)
        elif self._phase == SHAKING:
            if self._head is None:
                self._start(data)
            else:
                self._early += data
                if len(self._early) > MAX_EARLY_BYTES:
                    self.abort()

    def _start(self, head: bytes) -> None:
        address: tuple[str, ...] | str | None = self._transport.get_extra_info("peername")
        self._head = handshake = parse_head(
            head,
            client=address[0] if isinstance(address, tuple) else "",
            is_secure=self._transport.get_extra_info("sslcontext") is not None,
        )
        try:
            accept_value = accept(handshake)
        except BadHandshake as refusal:
            self._answer(refusal.status, refusal.headers, f"{refusal}\n".encode())
            return
        task = self._loop.create_task(self._open_with(handshake, accept_value))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    async def _open_with(self, handshake: Handshake, accept_value: str) -> None:
        response = await self._pool.upgrade(handshake)
        end: ClientEnd | None = response.web_socket
        if end is None:
            await self._refuse(response)
        elif self._phase == SHAKING:
            self._open(end, accepted_head(accept_value, response.raw_headers(), self._server_state.default_headers))
        else:
            end.attach(self)
            end.receive_close(ABNORMAL, "", was_clean=False)

    def _open(self, end: ClientEnd, head: bytes) -> None:
        self._codec = ServerProtocol(state=State.OPEN, max_size=self._limits.max_message_bytes, logger=codec_logger)
        self._end = end
        self._phase = OPEN
        self._out.append(head)
        end.on_drain = self._caught_up
        end.attach(self)
        self.flush()
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            self._read(early)

    async def _refuse(self, response: Response) -> None:
        try:
            body = await _whole_body(response)
        except Exception:
            logger.exception("%s: the response cannot be sent", self._head.target if self._head else "GET")
            self._answer(500, [], b"Internal Server Error")
        else:
            self._answer(response.status, worker_fields(response.raw_headers()), body)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        fields = [*headers, ("content-length", str(len(body))), ("connection", "close")]
        if not any(name.lower() == "content-type" for name, _ in headers):
            fields.append(("content-type", "text/plain; charset=utf-8"))
        self._transport.write(response_head(status, fields, self._server_state.default_headers) + body)
        self._phase = ENDED
        self._transport.close()

    # From the network

    def _read(self, data: bytes) -> None:
        codec, end = self._codec, self._end
        codec.receive_data(data)
        for event in codec.events_received():
            self._take(cast("Frame", event))
        if codec.writes:
            self._send_control()
        if end is not None and end.backlog:
            self._held_bytes += len(data)
            if end.backlog > self._limits.max_backlog_frames or self._held_bytes > self._limits.max_backlog_bytes:
                self._pause(BEHIND)

    def _take(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.CLOSE:
            close = Close.parse(bytes(frame.data))
            self._tell_closed(close.code, close.reason, was_clean=True)
        elif self._phase != OPEN or opcode is Opcode.PING or opcode is Opcode.PONG:
            return
        elif opcode is Opcode.CONT or not frame.fin:
            self._take_fragment(frame)
        else:
            self._deliver(bytes(frame.data), opcode is Opcode.TEXT)

    def _take_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts += frame.data
        if frame.fin:
            message, self._parts = bytes(self._parts), bytearray()
            self._deliver(message, self._is_text)

    def _deliver(self, message: bytes, is_text: bool) -> None:
        end = self._end
        if end is None:
            return
        if not is_text:
            end.receive(message)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._fail(BAD_DATA, "text is not UTF-8")
        else:
            end.receive(text)

    def _caught_up(self) -> None:
        self._held_bytes = 0
        self._resume(BEHIND)

    # To the network

    def send(self, data: str | bytes) -> None:
        """Send a message at the end of this turn. On a closing connection it is dropped."""
        if self._phase != OPEN:
            return
        frame = self._pool.encode(data)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > BATCH_BYTES:
            self._write()
        elif not self._is_waiting:
            self._is_waiting = True
            self._pool.write_soon(self)

    def flush(self) -> None:
        """Write what was sent in this turn."""
        self._is_waiting = False
        if self._out:
            self._write()

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake after what was sent before."""
        if self._phase != OPEN:
            return
        if code == ABNORMAL:
            self._phase = ENDED
            self.abort()
            return
        short = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
        if code == NO_STATUS:
            self._codec.send_close()
        else:
            self._codec.send_close(code, short)
        self._phase = CLOSING
        self._send_control()
        self._resume(BEHIND | UNREAD)
        self._expect_end()

    def _write(self) -> None:
        out, self._out = self._out, []
        self._out_bytes = 0
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._paused & UNREAD and self._phase == OPEN:
            unsent = self._transport.get_write_buffer_size()
            if unsent > self._limits.max_unread_bytes:
                logger.warning("a WebSocket client does not read: closed with %s bytes unread", unsent)
                self._fail(TRY_LATER, "reading too slowly")

    def _fail(self, code: int, reason: str) -> None:
        self._codec.fail(code, reason)
        self._send_control()

    def _send_control(self) -> None:
        """Write what the codec answers: pongs, close frames. An empty one means the end of the stream."""
        writes = self._codec.data_to_send()
        is_last = b"" in writes
        self._out += [frame for frame in writes if frame]
        if self._out:
            self._write()
        if is_last:
            self._finish()

    def _finish(self) -> None:
        """The closing handshake is complete, or the client broke the protocol."""
        was_clean = self._codec.parser_exc is None and self._codec.close_rcvd is not None
        self._tell_closed(ABNORMAL, "", was_clean=False)
        self._phase = ENDED
        if was_clean:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()  # closing at once would reset the connection under the client's unread data
        self._resume(BEHIND | UNREAD)
        self._expect_end()

    def _expect_end(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.close_timeout_s, self.abort)

    def _tell_closed(self, code: int, reason: str, *, was_clean: bool) -> None:
        end, self._end = self._end, None
        if end is not None:
            end.on_drain = None
            end.receive_close(code, reason, was_clean)

    # Flow and silence

    def _pause(self, reason: int) -> None:
        if not self._paused and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused |= reason

    def _resume(self, reasons: int) -> None:
        was_paused, self._paused = self._paused, self._paused & ~reasons
        if was_paused and not self._paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def check_silence(self) -> None:
        """Ping a silent client; drop one that did not even answer a ping."""
        unsent = self._transport.get_write_buffer_size()
        is_alive = not self._is_quiet or self._paused & BEHIND or unsent < self._unsent_bytes
        self._unsent_bytes = unsent
        self._is_quiet = True
        if self._phase != OPEN:
            return
        if is_alive:
            self._is_pinged = False
        elif not self._is_pinged:
            self._is_pinged = True
            self._codec.send_ping(b"")
            self._send_control()
        else:
            logger.info("a WebSocket client is gone: no sign of life for %s s", 2 * self._limits.ping_interval_s)
            self.abort()


async def _whole_body(response: Response) -> bytes:
    """The body of a refusal, at most `MAX_REFUSAL_BYTES`."""
    body = response.take_body()
    if body is None or isinstance(body, bytes):
        return body or b""
    chunks = bytearray()
    async for chunk in body:
        chunks += chunk
        if len(chunks) >= MAX_REFUSAL_BYTES:
            break
    return bytes(chunks)
