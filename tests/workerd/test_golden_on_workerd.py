"""Plays the recordings of the JavaScript SDK to the same agents in Python on the real runtime, over the network."""

from __future__ import annotations

import asyncio
import http.client

import pytest
import websockets
from websockets.asyncio.client import connect

from tests.wire.transcripts import Line, Step, Transcript, comparable, differences, normalise, recorded
from tests.workerd.rig import Rig
from tests.workerd.tools import ROOT

RECORDED = recorded()
DIFFERENT = differences()
VOLATILE = {"date", "connection", "content-length", "transfer-encoding", "keep-alive"}
ARRIVE_S = 5.0
NOTHING_MORE_S = 0.03


@pytest.fixture(scope="module")
def wire_rig(workerd_tools, tmp_path_factory):
    """The recorded agents in a workerd of their own, since every transcript starts from nothing."""
    running = Rig(workerd_tools, ROOT / "tests" / "wire", tmp_path_factory.mktemp("wire"))
    running.start()
    yield running
    running.stop()


class NetworkReplay:
    """The client ends of a transcript's sockets, and what arrived at them since the last action."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.sockets = {}
        self.readers = []
        self.arrived: list[Line] = []

    async def run(self, step: Step) -> list[Line]:
        self.arrived.clear()
        given = {key: value for key, value in step.action.items() if key != "do"}
        await getattr(self, f"do_{step.action['do']}")(**given)
        async with asyncio.timeout(ARRIVE_S):
            while len(self.arrived) < len(step.expected):
                await asyncio.sleep(0.002)
        await asyncio.sleep(NOTHING_MORE_S)
        order = list(self.sockets)
        return sorted(self.arrived, key=lambda line: order.index(line["socket"]) if "socket" in line else 0)

    async def do_open(self, socket: str, path: str) -> None:
        self.sockets[socket] = None
        url = self.rig.url.replace("http", "ws") + path
        try:
            opened = await connect(url, proxy=None, compression=None, open_timeout=ARRIVE_S, close_timeout=ARRIVE_S)
        except websockets.InvalidStatus as error:
            self.arrived.append({"socket": socket, "refused": error.response.status_code})
            return
        self.sockets[socket] = opened
        self.readers.append(asyncio.create_task(self.read(socket, opened)))

    async def read(self, socket, opened) -> None:
        # The close frame counts: workerd may leave the TCP connection open for some time after it.
        while (end := opened.protocol.close_rcvd) is None:
            try:
                data = await asyncio.wait_for(opened.recv(), 0.05)
            except TimeoutError:
                continue
            except websockets.ConnectionClosed:
                end = opened.protocol.close_rcvd
                break
            what = {"got": normalise(data)} if isinstance(data, str) else {"got_bytes": data.hex()}
            self.arrived.append({"socket": socket, **what})
        code, reason = (1006, "") if end is None else (end.code, end.reason)
        self.arrived.append({"socket": socket, "closed": code, "reason": reason})

    async def do_send(self, socket: str, frames: list[str]) -> None:
        for frame in frames:
            await self.sockets[socket].send(frame)

    async def do_send_bytes(self, socket: str, hex: str) -> None:  # noqa: A002 - the word of the recordings
        await self.sockets[socket].send(bytes.fromhex(hex))

    async def do_close(self, socket: str, code: int = 1005, reason: str = "") -> None:
        opened = self.sockets[socket]
        opened.protocol.send_close(None if code == 1005 else code, reason)
        opened.send_data()

    async def do_hibernate(self) -> None:
        await asyncio.to_thread(self.rig.control, "evict-all")

    async def do_fetch(self, method: str, path: str, body: str | None = None) -> None:
        self.arrived.append(await asyncio.to_thread(self.fetch, method, path, body))

    def fetch(self, method: str, path: str, body: str | None) -> Line:
        connection = http.client.HTTPConnection("127.0.0.1", self.rig.port, timeout=ARRIVE_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            kept = {name: fields[name] for name in sorted(fields) if name not in VOLATILE}
            return {"status": answer.status, "headers": kept, "body": answer.read().decode()}
        finally:
            connection.close()

    async def end(self) -> None:
        for opened in filter(None, self.sockets.values()):
            opened.transport.abort()
        await asyncio.gather(*self.readers)


@pytest.mark.parametrize("key", RECORDED)
async def test_same_frames_from_the_real_runtime(wire_rig, key):
    transcript: Transcript = DIFFERENT.get(key, RECORDED[key])
    await asyncio.to_thread(wire_rig.control, "delete-all")
    replay = NetworkReplay(wire_rig)
    try:
        for step in transcript.steps:
            got = [comparable(line) for line in await replay.run(step)]
            assert got == [comparable(line) for line in step.expected], f"after {step.action}"
    finally:
        await replay.end()
