"""The MCP servers that are measured, each on an empty store: ours, the official Python SDK's, the JavaScript SDK's."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from bench.load import LoadError
from bench.process import Server
from bench.sides import free_port, workerd

HERE = Path(__file__).resolve().parent
LEGACY = "2025-11-25"
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
CLIENT = {"name": "load", "version": "1"}


@contextmanager
def ours(lab: Path) -> Iterator[Server]:
    """`agents-runtime serve` with its production settings."""
    data = lab / "mcp-data"
    shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    program = Path(sys.executable).parent / "agents-runtime"
    command = [str(program), "serve", "--port", str(port), "--data", str(data), "--no-access-log"]
    with _running(Server(command, port, HERE / "mcp_worker", lab / "mcp-python.log")) as server:
        yield server


@contextmanager
def python_sdk(lab: Path, kind: str, how: str) -> Iterator[Server]:
    """The official Python SDK: `stateless`, or with `sessions` in memory; `plain` as installed, or `tuned`."""
    port = free_port()
    command = [str(lab / "peers/bin/python"), str(HERE / "peers/mcp_server.py"), str(port), kind, how]
    with _running(Server(command, port, lab, lab / "mcp-sdk.log")) as server:
        yield server


@contextmanager
def js_sdk(lab: Path) -> Iterator[Server]:
    """npm `agents` on workerd."""
    port = free_port()
    folder = lab / "js"
    shutil.rmtree(folder / "mcp-storage", ignore_errors=True)
    (folder / "mcp-storage").mkdir()
    config = (HERE / "js/mcp.capnp").read_text().replace("127.0.0.1:18787", f"127.0.0.1:{port}")
    (folder / "mcp-run.capnp").write_text(config)
    command = [str(workerd(lab)), "serve", "mcp-run.capnp"]
    with _running(Server(command, port, folder, lab / "mcp-js.log")) as server:
        yield server


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.wait_until_open()
        yield server
    finally:
        server.stop()


def open_session(server: Server, path: str) -> str:
    """Begin a session, as a client of 2025 does; its id."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
    with _post(server, path, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}) as answer:
        session = answer.headers["mcp-session-id"]
        answer.read()
    if session is None:
        raise LoadError(f"{path} opened no session")
    with _post(server, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session) as answer:
        answer.read()
    return session


def _post(server: Server, path: str, message: object, session: str | None = None) -> HTTPResponse:
    headers = {**HEADERS, **({"mcp-session-id": session, "mcp-protocol-version": LEGACY} if session else {})}
    url = f"http://127.0.0.1:{server.port}{path}"
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=30)
    return answer


def bytecode_environment() -> dict[str, str]:
    """The environment of a program that is started again and again: its modules are compiled once."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
