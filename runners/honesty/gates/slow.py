"""The gate with a slow reader: a client that first writes, and only then reads, loses nothing."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from runners.honesty.gates.talk import PATIENCE_S, Closed, Reset, Silent, Talk, Target, Visit, patience
from runners.honesty.gates.usage import memory_bytes, works
from runners.server.answers import Answer, Broken, parse_answer

UNREAD = 100_000
MORE_UNREAD = 200_000  # for a server that seems to buffer all of them
WARMING_ROUNDS, ROUND = 60, 1000
PIECE_BYTES = 65536
BRIEFLY_S = 0.05
LONGEST_FLOOD_S, BRIEFLY_FLOODED_S = 30.0, 0.2
PIPELINED_SHARE = 0.05  # of the time that an answer takes alone, roughly, when thousands are asked for at once
FULL_S = 0.3  # a server that accepts nothing for this long accepts nothing more
STEADY_S = 0.4
LOOK_S = 0.05
MOST_GROWTH_BYTES = 4 * 1024**2
MOST_RATIO = 1.5
WINDOW_BYTES = 4096


def loses_nothing(visit: Visit) -> None:
    """Up to 100,000 requests of a client that reads late are all answered, in order and in bounded memory."""
    target = visit.target
    _warm(visit)
    with visit.talk() as talk:
        flood = Flood(talk, _scaled(target, UNREAD), visit.deadline)
        if target.pid is None:
            flood.write_unread()
        else:
            _check_memory(flood, target.pid)
        tally = Tally(target.wanted)
        flood.read(tally)
        talk.silent(BRIEFLY_S)
    _judge(tally, flood.count)


def _check_memory(flood: Flood, pid: int) -> None:
    """Write without reading; raise Broken if memory grows with the number of requests (a fixed buffer is fine)."""
    before = memory_bytes(pid)
    flood.write_unread()
    grown = _most_memory_bytes(pid) - before
    if grown <= MOST_GROWTH_BYTES:
        return
    flood.add(_scaled(flood.talk.target, MORE_UNREAD))
    flood.write_unread()
    if (now := _most_memory_bytes(pid) - before) > grown * MOST_RATIO:
        sizes = f"{grown / 2**20:.0f} MiB and then by {now / 2**20:.0f} MiB"
        raise Broken(f"its memory grew by {sizes} as more and more answers went unread")


def _warm(visit: Visit) -> None:
    """Send so many requests that a heap which grows with any work has grown, but few at a time, so none is buffered."""
    left = _scaled(visit.target, WARMING_ROUNDS * ROUND)
    while left > 0:
        with visit.talk() as talk:
            Flood(talk, min(left, ROUND), visit.deadline).read(Tally(visit.target.wanted))
        left -= ROUND


def _scaled(target: Target, count: int) -> int:
    """Return how many of `count` requests such a server is asked: fewer if it is slow, or promises little."""
    time_s = UNREAD * target.took_s * PIPELINED_SHARE
    longest_s = BRIEFLY_FLOODED_S if target.brief else LONGEST_FLOOD_S
    return max(1, round(count * min(1.0, longest_s / time_s))) if time_s else count


def _most_memory_bytes(pid: int) -> int:
    """Return the server's memory once it has stopped growing: it may still be reading what it cannot answer."""
    most, since = memory_bytes(pid), time.monotonic()
    until = since + PATIENCE_S
    while time.monotonic() < since + STEADY_S:
        time.sleep(LOOK_S)
        if (now := memory_bytes(pid)) > most or (works(pid) and time.monotonic() < until):
            most, since = max(most, now), time.monotonic()
    return most


def _judge(tally: Tally, asked: int) -> None:
    """Raise Broken if answers are lost, torn or too many; a server may close the connection after a complete one."""
    if tally.unread:
        raise Broken(f"after {tally.count} complete answers comes part of another, or one too many")
    if not 0 < tally.count <= asked:
        raise Broken(f"{tally.count} answers came for {asked} requests")


class Flood:
    """Requests on their way to a server, over a connection that never blocks."""

    def __init__(self, talk: Talk, count: int, deadline: float) -> None:
        data = talk.target.request() * count
        self.talk, self.count, self.deadline, self.unsent = talk, count, deadline, memoryview(data)
        self.waiting = select.poll()
        talk.sent.add(data)
        talk.socket.settimeout(0)

    def add(self, count: int) -> None:
        """Add `count` requests to those on their way."""
        self.count += count
        self.unsent = memoryview(bytes(self.unsent) + self.talk.target.request() * count)

    def write_unread(self) -> None:
        """Write, without reading, until the server accepts no more."""
        self.waiting.register(self.talk.socket, select.POLLOUT)
        while self.unsent and self._is_taken() and time.monotonic() < self.deadline:
            self._write()

    def _is_taken(self) -> bool:
        """Wait until the server accepts more; return whether it does."""
        return any(self.waiting.poll(each_s * 1000) for each_s in patience(FULL_S, self.talk.target.pid))

    def read(self, tally: Tally) -> None:
        """Read and go on writing until all requests are answered, or the server closes the connection."""
        while tally.count < self.count:
            self.waiting.register(self.talk.socket, select.POLLIN | (select.POLLOUT if self.unsent else 0))
            if not self.waiting.poll(PATIENCE_S * 1000) or time.monotonic() > self.deadline:
                raise Silent(f"only {tally.count} of {self.count} answers came in time")
            self._write()
            try:
                tally.add(self._received())
            except Closed:
                return

    def _write(self) -> None:
        try:
            self.unsent = self.unsent[self.talk.socket.send(self.unsent[:PIECE_BYTES]) :]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = self.unsent[:0]  # it has closed; what it sent before can still be read

    def _received(self) -> bytes:
        """Return what has arrived so far, perhaps nothing; raise Closed at the end."""
        try:
            data = self.talk.socket.recv(1 << 18)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise Reset(f"the connection was reset: {error}") from error
        if not data:
            raise Closed("it closed the connection")
        self.talk.received.add(data)
        return data


class Tally:
    """Counts the answers in a stream; for speed, only an answer that differs from the one before is parsed."""

    def __init__(self, wanted: Callable[[Answer], object]) -> None:
        self.count, self.unread = 0, b""
        self._wanted, self._last = wanted, b""

    def add(self, data: bytes) -> None:
        """Count the answers that these bytes complete; raise Broken if one is wrong."""
        stream, at = self.unread + data, 0
        while at < len(stream) and (self._repeats(stream, at) or self._parse(stream, at)):
            at += len(self._last)
            self.count += 1
        self.unread = stream[at:]

    def _repeats(self, stream: bytes, at: int) -> bool:
        return bool(self._last) and stream.startswith(self._last, at)

    def _parse(self, stream: bytes, at: int) -> bool:
        """Return whether a complete answer begins here; it is the one to compare the next ones with."""
        for part in (stream[at : at + WINDOW_BYTES], stream[at:]):
            if parsed := parse_answer(part):
                self._wanted(parsed[0])
                self._last = part[: len(part) - len(parsed[1])]
                return True
        return False
