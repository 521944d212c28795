"""The guard lets tests reach this machine and nothing else."""

import asyncio
import contextlib
import socket

import pytest

from agents_runtime.testing import NetworkRefused
from agents_runtime.testing.guard import NetworkGuard, is_this_machine

DOCUMENTATION_ADDRESS = "192.0.2.1"  # RFC 5737: belongs to nobody


@pytest.fixture
def guard():
    guard = NetworkGuard(["allowed.test", "203.0.113.7"])
    guard.start()
    yield guard
    guard.stop()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("localhost", True),
        ("agent.localhost", True),
        ("", True),
        ("fe80::1%eth0", False),
        ("192.168.1.1", False),
        ("8.8.8.8", False),
        ("localhost.example.com", False),
        ("example.com", False),
    ],
)
def test_what_counts_as_this_machine(host, local):
    assert is_this_machine(host) is local


def test_a_connection_to_another_machine_is_refused_before_a_packet_leaves(guard):
    with socket.socket() as sock, pytest.raises(NetworkRefused, match=r"192\.0\.2\.1:80.*agents_allow_hosts"):
        sock.connect((DOCUMENTATION_ADDRESS, 80))
    with socket.socket() as sock, pytest.raises(NetworkRefused):
        sock.connect_ex((DOCUMENTATION_ADDRESS, 80))
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(NetworkRefused):
        sock.sendto(b"x", (DOCUMENTATION_ADDRESS, 53))


def test_a_foreign_name_is_refused_before_it_is_looked_up(guard):
    with pytest.raises(NetworkRefused, match=r"api\.example\.com:443"):
        socket.create_connection(("api.example.com", 443), timeout=5)


async def test_asyncio_is_guarded_too(guard):
    with pytest.raises(NetworkRefused):
        await asyncio.open_connection(DOCUMENTATION_ADDRESS, 80)
    with pytest.raises(NetworkRefused):
        await asyncio.open_connection("api.example.com", 80)


async def test_loopback_works(guard):
    async def answer(reader, writer):
        writer.write(await reader.readexactly(4))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port, family=socket.AF_INET)
        writer.write(b"ping")
        assert await asyncio.wait_for(reader.read(), 5) == b"ping"
        writer.close()
        await writer.wait_closed()


def test_an_allowed_address_is_not_refused(guard):
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        contextlib.suppress(OSError),
    ):  # sends nothing; there may be no route
        sock.connect(("203.0.113.7", 9))


def test_unix_sockets_are_not_the_network(guard, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)


def test_stopping_puts_everything_back():
    before = dict(vars(socket.socket)), socket.getaddrinfo
    guard = NetworkGuard()
    guard.start()
    assert socket.getaddrinfo is not before[1]
    guard.stop()
    assert (dict(vars(socket.socket)), socket.getaddrinfo) == before
