"""Mutated input for the readers of what others wrote, and the limits within which they must deal with it.

`SPEEDUP_FUZZ=20000 python -m pytest tests/unit/fuzz` tries so many inputs of each kind instead of a few.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Test = TypeVar("Test", bound=Callable[..., Any])
EXAMPLES = int(os.environ.get("SPEEDUP_FUZZ", "25"))
MOST_CPU_S = 2.0  # of this process, so that a busy machine is no hang
PIECES = (
    b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]",
    b":", b",", b"=", b"#", b".", b"-", b"/", b"%", b"@", b"*", b"0", b"-1", b"1e999", b"NaN", b"Infinity",
    b"null", b"true", b"false", b"9" * 30, b"9" * 5000, b"0.1", b"\xff", b"\xc2\xb2", b"\xd9\xa3",
    b"\xe2\x80\xae", b"\x1b[2J", b"[" * 3000, b'{"a":' * 3000, b"x" * 300, b"../../etc/passwd", b"{port}",
    b"{out", b"}}", b"1979-05-27T07:32:00Z", b"inf", b"[[1], []]", b"{ a = 1 }",
)  # fmt: skip


def fuzzed(test: Test) -> Test:
    """Run a property with few examples, or with as many as asked for."""
    checked: Test = settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )(test)
    return checked


def mutations(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for inputs that differ from one of the seeds in a few places."""
    pieces = st.sampled_from(PIECES) | st.binary(max_size=8)
    change = st.tuples(st.sampled_from(["replace", "insert", "delete", "repeat", "cut", "swap"]), st.integers(0, 2**32),
                       st.integers(0, 40), pieces)  # fmt: skip
    return st.builds(_mutated, st.sampled_from(seeds), st.lists(change, max_size=6))


def _mutated(seed: bytes, changes: Sequence[tuple[str, int, int, bytes]]) -> bytes:
    data = bytearray(seed)
    for how, where, length, piece in changes:
        at = where % (len(data) + 1)
        end = min(len(data), at + length)
        if how == "replace":
            data[at:end] = piece
        elif how == "insert":
            data[at:at] = piece
        elif how == "delete":
            del data[at:end]
        elif how == "repeat":
            data[at:at] = data[at:end] * 3
        elif how == "swap":
            data[at:end] = data[at:end][::-1]
        else:
            del data[at:]
    return bytes(data)


class Hangs(BaseException):
    """A reader used more CPU time than any input is worth."""


@contextmanager
def without_hang(most_cpu_s: float = MOST_CPU_S) -> Iterator[None]:
    """Raise Hangs if the block uses too much CPU time."""

    def stop(*_: object) -> None:
        raise Hangs(f"more than {most_cpu_s} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, most_cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
