"""A server that answers rightly only what is asked rightly: `python picky.py PORT`.

`python picky.py PORT N` gives a wrong answer to every Nth request for / while it is busy.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

ANSWERS = {
    ("GET /", "", b""): (200, b"home"),
    ("POST /search?limit=1", "nim", b"q=1"): (200, b'{"found": true, "at": "a moment that changes"}'),
    ("GET /gone", "", b""): (410, b"gone"),
}
LIE, BUSY = b"sometimes", 4  # connections; the gates and probes that see whether it is honest have fewer
lies_every = int(sys.argv[2]) if len(sys.argv) > 2 else 0
asked_for_home = itertools.count()
connected: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request of a connection."""
    connected.add(writer)
    while head := await _head(reader):
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(each.lower().split(": ", 1) for each in lines if ": " in each)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = line.rpartition(" ")[0]
        status, answer = ANSWERS.get((asked, headers.get("x-kind", ""), body), (400, b"what?"))
        answer = LIE if asked == "GET /" and _lies() else answer
        closes = headers.get("connection") == "close"
        close = "Connection: close\r\n" if closes else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{close}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        if closes:
            break
    connected.discard(writer)
    writer.close()


def _lies() -> bool:
    return bool(lies_every) and len(connected) >= BUSY and next(asked_for_home) % lies_every == 0


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def main() -> None:
    """Serve for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
