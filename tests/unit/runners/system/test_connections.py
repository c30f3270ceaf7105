"""The kernel's list of connections: who has one, and what went over it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from runners.system import connections, kernel


@pytest.fixture(name="server", params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["v4", "v6"])
def a_server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """Listen on a port of loopback."""
    family, host = request.param
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        yield listener


def test_each_connection_has_its_segments_with_data(server: socket.socket) -> None:
    """Requests and answers both; what is only acknowledged has none, and other ports are not looked at."""
    with ExitStack() as held:
        clients = [held.enter_context(socket.create_connection(server.getsockname()[:2])) for _ in range(2)]
        ends = [held.enter_context(server.accept()[0]) for _ in clients]
        for _ in range(5):
            clients[0].sendall(b"?")
            ends[0].recv(1)
            ends[0].sendall(b"!")
            clients[0].recv(1)
        port = server.getsockname()[1]
        found = connections.connections(os.getpid(), port)
        by_port = {int(name.rpartition(":")[2], 16): count for name, count in found.items()}
        assert by_port == {clients[0].getsockname()[1]: 10, clients[1].getsockname()[1]: 0}
        assert found.keys() == kernel.client_ports(os.getpid(), port)


def test_where_the_kernel_refuses_its_list_connections_are_still_known(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what went over them is not."""
    monkeypatch.setattr(connections, "SOCK_DIAG_BY_FAMILY", 99)
    with socket.create_connection(server.getsockname()[:2]):
        found = connections.connections(os.getpid(), server.getsockname()[1])
    assert list(found.values()) == [None]


def test_the_shortest_queue_of_a_port_is_known(server: socket.socket) -> None:
    """Of a port where nobody listens, nothing."""
    port = server.getsockname()[1]
    for length in (7, 300):
        server.listen(length)
        assert connections.accept_queue(port) == length
    server.close()
    assert connections.accept_queue(port) is None


def test_where_the_kernel_refuses_its_list_a_queue_is_unknown(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing follows from it."""
    monkeypatch.setattr(connections, "SOCK_DIAG_BY_FAMILY", 99)
    assert connections.accept_queue(server.getsockname()[1]) is None
