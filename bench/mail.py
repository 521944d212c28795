"""Mails over HTTP to the local host: each is stored, answered, and its answer kept, before it is acknowledged."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Bench, Figure
from bench.load import LoadError
from bench.process import TICKS_PER_S, Server
from bench.sides import free_port

HERE = Path(__file__).resolve().parent
TOKEN = "bench"
CONNECTIONS = 8
AGENTS = 16
BODY_LINES = 30
"""A mail of about two kilobytes."""
LIMIT_S = 120


@dataclass(frozen=True)
class Rate:
    """One load of mails."""

    per_wall_s: float
    per_cpu_s: float


def mail(bench: Bench) -> list[Figure]:
    """Mails received and answered, each synced to disk with its answer; and the same without a sync."""
    n = bench.size(4_000)
    rates: dict[str, list[Rate]] = {"power": [], "process": []}
    for durability, found in rates.items():
        for _ in range(min(bench.rounds, 3)):
            found.append(_measure(bench.lab, durability, n))
    synced, unsynced = rates["power"], rates["process"]
    return [
        Figure(
            "mail: received, stored and answered, both synced",
            "per s",
            None,
            statistics.median(rate.per_wall_s for rate in synced),
            no_less=50,
            is_alone=True,
            note=f"{CONNECTIONS} connections, {AGENTS} agents; {_each(synced)}",
        ),
        Figure(
            "mail: the same without a sync of the disk",
            "per CPU-s",
            None,
            statistics.median(rate.per_cpu_s for rate in unsynced),
            no_less=200,
            is_alone=True,
            note=_each(unsynced),
        ),
    ]


def _each(rates: list[Rate]) -> str:
    wall, cpu = (statistics.median(getattr(rate, name) for rate in rates) for name in ("per_wall_s", "per_cpu_s"))
    return f"{wall:,.0f} per wall second, {cpu:,.0f} per CPU second"


def _measure(lab: Path, durability: str, n: int) -> Rate:
    data = lab / "mail-data"
    shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    program = Path(sys.executable).parent / "agents-runtime"
    command = [str(program), "serve", "--port", str(port), "--data", str(data), "--no-access-log"]
    os.environ["AGENTS_MAIL_TOKEN"] = TOKEN
    server = Server([*command, "--durability", durability], port, HERE / "mail_worker", lab / "mail.log")
    try:
        server.wait_until_open()
        _load(port, 200)
        before_s, began = server.cpu_s(), time.perf_counter()
        _load(port, n)
        wall_s = time.perf_counter() - began
        cpu_s = max(server.cpu_s() - before_s, 1 / TICKS_PER_S)
    finally:
        server.stop()
    kept = len(list((data / "outbox").glob("*.eml")))
    if kept != n + 200:
        raise LoadError(f"{n + 200} mails were acknowledged and {kept} answers are in the outbox")
    return Rate(n / wall_s, n / cpu_s)


def _load(port: int, n: int) -> None:
    """Bring `n` mails, over several connections, each waiting for its acknowledgement."""
    problems: list[str] = []
    share = n // CONNECTIONS
    threads = [
        threading.Thread(target=_bring, args=(port, number, share, problems), daemon=True)
        for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    if problems or any(thread.is_alive() for thread in threads):
        raise LoadError(problems[0] if problems else f"not done in {LIMIT_S} s")


def _bring(port: int, connection: int, n: int, problems: list[str]) -> None:
    text = "Where is my order? It has been quite some time now, I think.\r\n" * BODY_LINES
    try:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as link:
            answers = link.makefile("rb")
            for number in range(n):
                agent = (connection * n + number) % AGENTS
                mail_id = f"{connection}-{number}-{time.monotonic_ns()}"
                raw = f"From: ada@example.com\r\nSubject: Order {number}\r\nMessage-ID: <{mail_id}@x>\r\n\r\n{text}"
                path = f"/cdn-cgi/handler/email?from=ada@example.com&to=desk%2B{agent}@example.org"
                head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
                link.sendall(f"{head}content-length: {len(raw)}\r\n\r\n{raw}".encode())
                status = answers.readline()
                length = 0
                while (line := answers.readline().strip().lower()) != b"":
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = answers.read(length)
                if b" 200 " not in status:
                    problems.append(f"{status!r} {body!r}")
                    return
    except OSError as error:
        problems.append(str(error))
