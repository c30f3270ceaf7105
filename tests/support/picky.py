"""A server that answers rightly only what is asked rightly: `python picky.py PORT`."""

from __future__ import annotations

import asyncio
import sys

ANSWERS = {
    ("GET /", "", b""): (200, b"home"),
    ("POST /search?limit=1", "nim", b"q=1"): (200, b'{"found": true, "at": "a moment that changes"}'),
    ("GET /gone", "", b""): (410, b"gone"),
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request of a connection."""
    while head := await _head(reader):
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(each.lower().split(": ", 1) for each in lines if ": " in each)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        status, answer = ANSWERS.get((line.rpartition(" ")[0], headers.get("x-kind", ""), body), (400, b"what?"))
        closes = headers.get("connection") == "close"
        close = "Connection: close\r\n" if closes else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{close}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        if closes:
            break
    writer.close()


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
