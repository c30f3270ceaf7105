"""Hello World on Python's own socket and select.epoll, as directly as the language allows.

One thread, one level-triggered epoll. A socket is registered once and then read whenever it is
readable; answers are sent at once. Only when the kernel does not take them all, since the client
does not read, is the socket switched to waiting for room, and read no further until then.
"""

from __future__ import annotations

import argparse
import errno
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from http1 import converse

BACKLOG = 4096
READ_SIZE = 64 * 1024
OUTPUT_LIMIT = 64 * 1024  # Answers beyond this wait until these are sent.
LINGER_S = 2.0
NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass(eq=False, slots=True)
class Connection:
    """A client: what it sent that is no request yet, and what it has not taken yet."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    answers: Iterator[bytes] = field(init=False)
    unsent: bytes = b""
    drained: bool = False  # Whether the last read emptied the socket.
    final: bool = False  # Whether the last answer has been composed.
    lingers_until: float | None = None  # Set once only waiting for the client to hang up.

    def __post_init__(self) -> None:
        """Begins the conversation, which reads from what is received."""
        self.answers = converse(self.received)


def compose_answers(connection: Connection) -> bool:
    """Appends answers to all requests received; false if there may be more than fit."""
    parts, size = [connection.unsent], len(connection.unsent)
    while size < OUTPUT_LIMIT and not connection.final:
        part = next(connection.answers, None)
        if part is None:
            connection.final = True
        elif part == b"":
            break
        else:
            parts.append(part)
            size += len(part)
    connection.unsent = b"".join(parts)
    return size < OUTPUT_LIMIT


class Server:
    """The loop, and the connections by descriptor."""

    def __init__(self, listener: socket.socket) -> None:
        """Watches the listener, and nobody else yet."""
        self._listener = listener
        self._connections: dict[int, Connection] = {}
        self._lingering: list[Connection] = []
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._accepting = True

    def run(self) -> None:
        """Serves for ever."""
        while True:
            self._turn()

    def _turn(self) -> None:
        paused = not self._accepting
        wait_s = 0.1 if paused else 1.0 if self._lingering else -1
        for descriptor, events in self._epoll.poll(wait_s, 256):
            connection = self._connections.get(descriptor)
            if connection is None:
                self._accept()
            elif connection.lingers_until is not None:
                self._guarded(self._discard, connection)
            elif events & select.EPOLLOUT:
                self._guarded(self._send, connection)
            else:
                self._guarded(self._read, connection)
        if paused:
            self._accepting = True
            self._epoll.modify(self._listener, select.EPOLLIN)
        now = time.monotonic()
        for late in [c for c in self._lingering if (c.lingers_until or 0) < now]:
            self._close(late)

    def _guarded(self, react: Callable[[Connection], None], connection: Connection) -> None:
        """Does one thing with a connection, which may turn out to be broken."""
        try:
            react(connection)
        except BlockingIOError:
            pass  # What epoll reported has gone since: it will report again.
        except OSError:
            self._close(connection)

    def _accept(self) -> None:
        """Accepts all that wait, so that one turn of the loop serves many."""
        try:
            while True:
                client, _ = self._listener.accept()
                client.settimeout(0)
                self._connections[client.fileno()] = Connection(client)
                self._epoll.register(client, select.EPOLLIN)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                # The listener stays readable, so unless it is left alone for a while this would spin.
                self._accepting = False
                self._epoll.modify(self._listener, 0)

    def _read(self, connection: Connection) -> None:
        data = connection.socket.recv(READ_SIZE)
        if not data:
            self._close(connection)
            return
        connection.received += data
        connection.drained = len(data) < READ_SIZE
        self._send(connection)

    def _send(self, connection: Connection) -> None:
        """Sends what is to be sent; as long as the client does not take it, nothing is read."""
        was_blocked = bool(connection.unsent)
        while True:
            complete = compose_answers(connection)
            if connection.unsent:
                try:
                    sent = connection.socket.send(connection.unsent)
                except BlockingIOError:
                    sent = 0
                connection.unsent = connection.unsent[sent:]
            if connection.unsent or complete:
                break
        if connection.unsent:
            connection.drained = False  # No longer known by the time that it matters again.
            self._epoll.modify(connection.socket, select.EPOLLOUT)
        elif connection.final:
            self._finish(connection)
        elif was_blocked:
            self._epoll.modify(connection.socket, select.EPOLLIN)

    def _finish(self, connection: Connection) -> None:
        """Closes after the last answer.

        To close a socket that holds unread input sends a reset, which can destroy the answer on
        its way, so in that case only our side is closed at first.
        """
        if connection.drained and not connection.received:
            self._close(connection)
            return
        connection.socket.shutdown(socket.SHUT_WR)
        connection.lingers_until = time.monotonic() + LINGER_S
        self._lingering.append(connection)
        self._epoll.modify(connection.socket, select.EPOLLIN)

    def _discard(self, connection: Connection) -> None:
        if not connection.socket.recv(READ_SIZE):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.lingers_until is not None:
            self._lingering.remove(connection)
        del self._connections[connection.socket.fileno()]
        connection.socket.close()  # This also removes it from the epoll.


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Hello World on select.epoll.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, choices=[1], default=1, help="there is only one")
    return parser.parse_args()


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens, or the end of the program."""
    listener = socket.socket()
    listener.settimeout(0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what it accepts; answers that leave in two sends would wait for an ACK without.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sys.exit(f"python_epoll: cannot listen on {host}:{port}: {reason}")
    return listener


def main() -> None:
    """Parses the command line and serves."""
    arguments = parse_arguments()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # End at once, without a traceback.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Server(open_listener(arguments.host, arguments.port)).run()


if __name__ == "__main__":
    main()
