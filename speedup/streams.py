"""Standard streams whose reader may leave at any time: a run must not end, nor end wrongly, because nobody listens."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


class Unheard:
    """A stream that goes on silently once its reader has left, or its terminal is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, if anybody reads."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Hand over what was written, if anybody reads."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def opened(stream: TextIO | None) -> TextIO:
    """Return a stream, or one that leads nowhere if the caller has closed it."""
    if stream is not None:
        return stream
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - pathlib is slow to import, and it stays open


def unheard(stream: TextIO) -> TextIO:
    """Return a stream whose reader may leave: what is said there is for people, and nothing depends on it."""
    return Unheard(stream)  # type: ignore[return-value]


def silence(stream: TextIO) -> None:
    """Let what a stream still holds, and what is written from now on, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def tell(text: str) -> None:
    """Print a result on stdout, if anybody reads."""
    try:
        print(text, flush=True)
    except OSError:
        silence(sys.stdout)
