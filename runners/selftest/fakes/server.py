"""A small HTTP server on epoll with a chosen fault, which `speedup selftest` starts as a separate program."""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import struct
import time
from ctypes import addressof, create_string_buffer

BODY = b"Hello World"
LATER = 100  # answers to wait for before showing a fault that must not show until there is load


def answer(body: bytes = BODY, *, close: bool = False, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    """Return a response; `length` is the Content-Length that it states, the right one unless given."""
    stated = b"%d" % (len(body) if length is None else length)
    ending = b"Connection: close\r\n" if close else b""
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + stated + b"\r\n" + ending + b"\r\n" + body


KEEPING, CLOSING = answer(), answer(close=True)


class Server:
    """A healthy server, for one request per segment as generators send them; `spin_ns` is extra work per request."""

    backlog = 1024

    def __init__(self, port: int, spin_ns: int = 0) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=self.backlog)
        self.listener.settimeout(0)
        self.poller = select.epoll()
        self.connections: dict[int, socket.socket] = {}
        self.spin_ns = spin_ns
        self.served = 0
        self.began_s: float | None = None
        self.prepare()

    def prepare(self) -> None:
        """Do whatever comes before the first connection."""
        self.poller.register(self.listener, select.EPOLLIN)

    def run(self) -> None:
        """Serve until a signal ends it."""
        while True:
            for descriptor, _events in self.poller.poll(0.02):
                connection = self.connections.get(descriptor)
                if connection is not None:
                    self.read(connection)
                elif descriptor == self.listener.fileno():
                    self.accept()
            if self.began_s is not None:
                self.turn(time.monotonic() - self.began_s)

    def accept(self) -> None:
        """Accept one connection, if one is waiting."""
        try:
            connection, _peer = self.listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[connection.fileno()] = connection
        self.poller.register(connection, select.EPOLLIN)

    def read(self, connection: socket.socket) -> None:
        """Answer one request."""
        try:
            data = connection.recv(65536)
            if data:
                self.serve(connection, close=b"Connection: close" in data)
        except OSError:
            data = b""
        if not data:
            self.close(connection)

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Count, work, answer, and close if that is due."""
        self.began_s = self.began_s or time.monotonic()
        self.served += 1
        if self.spin_ns:
            until_ns = time.perf_counter_ns() + self.spin_ns
            while time.perf_counter_ns() < until_ns:
                pass
        connection.send(self.reply(close=close))
        if self.ends(close=close):
            self.close(connection)

    def close(self, connection: socket.socket) -> None:
        """Close a connection, unless it has been closed."""
        if self.connections.pop(connection.fileno(), None):
            connection.close()

    @property
    def later(self) -> bool:
        """Return whether the server is under load."""
        return self.served > LATER

    def reply(self, *, close: bool) -> bytes:
        """Return what to send for a request."""
        return CLOSING if close else KEEPING

    def ends(self, *, close: bool) -> bool:
        """Return whether to close the connection after the answer."""
        return close

    def turn(self, at_s: float) -> None:
        """Do what is due `at_s` seconds after the first request; called at least 50 times a second."""


class Stall(Server):
    """Answers nothing for half a second, 1.7 s after the first request."""

    stalled = False

    def turn(self, at_s: float) -> None:
        """Stall, once."""
        if at_s > 1.7 and not self.stalled:
            self.stalled = True
            time.sleep(0.5)


class Errors(Server):
    """Answers every hundredth request with status 500."""

    def reply(self, *, close: bool) -> bytes:
        """Return an error now and then."""
        return answer(status=b"500 No", close=close) if self.served % 100 == 99 else super().reply(close=close)


class Unasked(Server):
    """Sends each answer twice."""

    def reply(self, *, close: bool) -> bytes:
        """Return two answers."""
        return super().reply(close=close) * 2


class UnaskedLater(Server):
    """Sends each answer twice, once it is under load."""

    def reply(self, *, close: bool) -> bytes:
        """Return two answers."""
        return super().reply(close=close) * (2 if self.later else 1)


class Lying(Server):
    """States a Content-Length that is too long."""

    def reply(self, *, close: bool) -> bytes:
        """Return an answer that is shorter than it says."""
        return answer(length=len(BODY) + 9, close=close)


class TooShortLater(Server):
    """Now and then states a Content-Length that is too short."""

    def reply(self, *, close: bool) -> bytes:
        """Return an answer that is longer than it says."""
        lies = self.served % LATER == LATER - 1
        return answer(length=len(BODY) - 6, close=close) if lies else super().reply(close=close)


class TooLongLater(Server):
    """Now and then states a Content-Length that is too long, so that one connection after another waits for ever."""

    def reply(self, *, close: bool) -> bytes:
        """Return an answer that is shorter than it says."""
        lies = self.served % LATER == LATER - 1
        return answer(length=len(BODY) + 9, close=close) if lies else super().reply(close=close)


class LongerLater(Server):
    """Answers with another body of another length, once it is under load."""

    def reply(self, *, close: bool) -> bytes:
        """Return a longer body."""
        return answer(BODY + b" and more", close=close) if self.later else super().reply(close=close)


class OtherLater(Server):
    """Answers with another body of the same length, once it is under load, and for ever after."""

    def reply(self, *, close: bool) -> bytes:
        """Return another body."""
        return answer(b"Hello Morld", close=close) if self.later else super().reply(close=close)


class OtherMeanwhile(Server):
    """Answers with another body of the same length, but only while it has several connections."""

    def reply(self, *, close: bool) -> bytes:
        """Return another body."""
        return answer(b"Hello Morld", close=close) if len(self.connections) > 2 else super().reply(close=close)


class Closes(Server):
    """Closes every connection after the answer, without saying so."""

    def reply(self, *, close: bool) -> bytes:  # noqa: ARG002
        """Return an answer without the header."""
        return KEEPING

    def ends(self, *, close: bool) -> bool:  # noqa: ARG002
        """Always close."""
        return True


class ClosesLater(Server):
    """Closes a connection after every fiftieth answer, without saying so."""

    def ends(self, *, close: bool) -> bool:
        """Close now and then."""
        return close or self.served % 50 == 49


class SaysClose(Server):
    """Closes a connection after every twentieth answer, and says so; the probe before the load sees nothing of it."""

    def reply(self, *, close: bool) -> bytes:
        """Return an answer, with the header if it is due."""
        return super().reply(close=self.ends(close=close))

    def ends(self, *, close: bool) -> bool:
        """Close now and then."""
        return close or (self.served % 20 == 19)


class IgnoresClose(Server):
    """Keeps connections that it was asked to close."""

    def reply(self, *, close: bool) -> bytes:  # noqa: ARG002
        """Return an answer without the header."""
        return KEEPING

    def ends(self, *, close: bool) -> bool:  # noqa: ARG002
        """Never close."""
        return False


class ClosesLast(Server):
    """Says that it closes, but lets the client close first, so that the client's ports are left in TIME_WAIT."""

    def prepare(self) -> None:
        """Start with nothing to close."""
        super().prepare()
        self.due: list[tuple[float, socket.socket]] = []

    def ends(self, *, close: bool) -> bool:  # noqa: ARG002
        """Leave it open for now."""
        return False

    def serve(self, connection: socket.socket, *, close: bool) -> None:
        """Answer, and remember to close later."""
        super().serve(connection, close=close)
        self.due.append((time.monotonic() + 0.05, connection))

    def turn(self, at_s: float) -> None:  # noqa: ARG002
        """Close those that were left open."""
        while self.due and self.due[0][0] < time.monotonic():
            self.close(self.due.pop(0)[1])


class Leaks(Server):
    """Leaks 50 MiB every second."""

    def prepare(self) -> None:
        """Start with nothing leaked."""
        super().prepare()
        self.kept: list[bytes] = []

    def turn(self, at_s: float) -> None:
        """Leak a MiB for every 20 ms that have passed, at most 200 MiB."""
        while len(self.kept) < min(200, at_s * 50):
            self.kept.append(b"x" * 2**20)


class Spawns(Server):
    """Starts two processes 0.6 s after the first request."""

    children = 0

    def turn(self, at_s: float) -> None:
        """Start those that are due."""
        while at_s > 0.6 and self.children < 2:
            self.children += 1
            pausing_child()


class LosesWorker(Server):
    """Has a second process, and loses it 0.6 s after the first request."""

    worker: int | None = None

    def prepare(self) -> None:
        """Start the worker."""
        super().prepare()
        self.worker = pausing_child()

    def turn(self, at_s: float) -> None:
        """Lose it, once."""
        if at_s > 0.6 and self.worker is not None:
            os.kill(self.worker, signal.SIGKILL)
            os.waitpid(self.worker, 0)
            self.worker = None


class Dies(Server):
    """Crashes 0.8 s after the first request."""

    def turn(self, at_s: float) -> None:
        """Crash when it is due."""
        if at_s > 0.8:
            os.kill(os.getpid(), signal.SIGSEGV)


class Stubborn(Server):
    """Does not end when it is asked to."""

    def prepare(self) -> None:
        """Ignore the signals that ask it to end."""
        super().prepare()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Refuses(Server):
    """Stops listening and closes every connection 0.7 s after the first request, yet stays alive."""

    def turn(self, at_s: float) -> None:
        """Close everything when it is due."""
        if at_s > 0.7 and self.listener.fileno() >= 0:
            self.poller.unregister(self.listener)
            self.listener.close()
            for connection in list(self.connections.values()):
                self.close(connection)


class AcceptsSlowly(Server):
    """Has room for two waiting connections, and accepts one every 50 ms."""

    backlog = 1
    due_s = 0.0

    def prepare(self) -> None:
        """Keep the listener out of epoll, and do not wait for the first request."""
        self.began_s = time.monotonic()

    def turn(self, at_s: float) -> None:
        """Accept one when it is due."""
        if at_s >= self.due_s:
            self.due_s = at_s + 0.05
            self.accept()


class Loses(Server):
    """Has the kernel drop one in a hundred segments that arrive on its connections, with a socket filter."""

    def accept(self) -> None:
        """Accept, and filter whatever arrives from now on."""
        known = set(self.connections)
        super().accept()
        for descriptor in self.connections.keys() - known:
            drop_some(self.connections[descriptor], share=0.01)


class Escapes(Server):
    """Uses all CPUs of the machine, whichever it was given."""

    def prepare(self) -> None:
        """Widen the affinity."""
        super().prepare()
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


FAULTS: dict[str, type[Server]] = {
    "none": Server,
    "stall": Stall,
    "errors": Errors,
    "unasked": Unasked,
    "unasked-later": UnaskedLater,
    "lying": Lying,
    "too-short-later": TooShortLater,
    "too-long-later": TooLongLater,
    "longer-later": LongerLater,
    "other-later": OtherLater,
    "other-meanwhile": OtherMeanwhile,
    "closes": Closes,
    "closes-later": ClosesLater,
    "says-close": SaysClose,
    "ignores-close": IgnoresClose,
    "closes-last": ClosesLast,
    "leaks": Leaks,
    "spawns": Spawns,
    "loses-worker": LosesWorker,
    "dies": Dies,
    "stubborn": Stubborn,
    "refuses": Refuses,
    "accepts-slowly": AcceptsSlowly,
    "loses": Loses,
    "escapes": Escapes,
}


def pausing_child() -> int:
    """Start a process that does nothing until it is killed; return its id."""
    child = os.fork()
    if child == 0:
        while True:
            signal.pause()
    return child


def drop_some(connection: socket.socket, share: float) -> None:
    """Attach a classic BPF program to a connection, which drops this share of received segments at random."""
    random_word = (-0x1000 + 56) & 0xFFFFFFFF  # SKF_AD_OFF + SKF_AD_RANDOM: the kernel's own random number
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (0x20, 0, 0, random_word),  # load it
            (0x35, 1, 0, int(share * 2**32)),  # if it is at least this, skip the next instruction
            (0x06, 0, 0, 0),  # drop
            (0x06, 0, 0, 0x40000),  # keep the whole segment
        )
    )
    buffer = create_string_buffer(program, len(program))
    attach_filter = 26
    connection.setsockopt(socket.SOL_SOCKET, attach_filter, struct.pack("HP", 4, addressof(buffer)))


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fault", choices=sorted(FAULTS), default="none")
    parser.add_argument("--spin-ns", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    FAULTS[options.fault](options.port, options.spin_ns).run()


if __name__ == "__main__":
    main()
