"""Gates with input that is not a request, or that programs interpret differently."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from runners.honesty.gates.talk import Reset, Silent, Visit
from runners.server.answers import Broken

REACTION_S = 1.0
ERROR_LINE = re.compile(rb"HTTP/1\.[01] [45][0-9]{2}( .*)?")

GARBAGE = {
    "not HTTP": b"garbage\r\n\r\n",
    "control characters": b"\x00\x01\x02\x03\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "four words": b"GET / more HTTP/1.1\r\nHost: test\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 2_000_000,
    "a length that is not a number": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
}
AMBIGUOUS = {
    "a bare LF": b"GET / HTTP/1.1\nHost: test\n\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: te\rst\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: test\r\nX: \0\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : test\r\n\r\n",
    "no version": b"GET /\r\nHost: test\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}


def refuses_garbage(visit: Visit) -> None:
    """Input that is not a request gets a 4xx, a 5xx or a closed connection, and the server survives."""
    _refuses(visit, GARBAGE)


def refuses_ambiguity(visit: Visit) -> None:
    """Input that programs interpret differently, which allows request smuggling, is rejected as well."""
    _refuses(visit, AMBIGUOUS)


def _refuses(visit: Visit, table: Mapping[str, bytes]) -> None:
    reactions = {name: _reaction(visit, data) for name, data in table.items()}
    wrong = {name: reaction for name, reaction in reactions.items() if reaction is not None}
    with visit.talk() as talk:
        visit.target.wanted(talk.ask(visit.target.request()))
    if wrong:
        raise Broken("; ".join(f"{name}: {reaction}" for name, reaction in wrong.items()))


def _reaction(visit: Visit, data: bytes) -> str | None:
    """Return what the server does instead of rejecting the data; None if it rejects them."""
    with visit.talk() as talk:
        with contextlib.suppress(Reset, Silent):  # It need not read all of what it rejects.
            talk.say(data)
        try:
            line = talk.first_line(REACTION_S)
        except Silent:
            return "it waits for more"
    return None if not line or ERROR_LINE.fullmatch(line) else f"it answers {line[:60].decode('latin-1')!r}"
