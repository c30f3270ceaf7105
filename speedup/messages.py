"""Where messages go: to stderr, through rich on a terminal and as plain lines elsewhere. Results go to stdout."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import contextmanager, suppress
from functools import cached_property

from runners.units import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from rich.logging import RichHandler

log = logging.getLogger("speedup")
PACKAGES = ("speedup", "reports", "runners")
KEPT = "run.txt"
MOST_KEPT_BYTES = 16 << 20  # a hundred thousand trials; no run has more


def configure(*, debug: bool = False) -> None:
    """Show the messages of our packages from now on; with `debug`, those for developers too."""
    handler = TerminalHandler() if is_terminal(sys.stderr) else PlainHandler()
    handler.setFormatter(Marked())
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.DEBUG if debug else logging.INFO)


@contextmanager
def kept_in(folder: Path) -> Iterator[Callable[[str], None]]:
    """Write all messages into a folder's run.txt too; yield what adds a line there. Nothing is said if that fails."""
    handler = KeepingHandler(folder / KEPT)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield handler.note
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class KeepingHandler(logging.Handler):
    """Appends messages to a file; a full disk, or a missing folder, is no reason to stop."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.setFormatter(Marked())

    def emit(self, record: logging.LogRecord) -> None:
        """Append a message."""
        self.note(self.format(record))

    def note(self, text: str) -> None:
        """Append a line with the time, unless the file has become too large."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n"
        with suppress(OSError):
            self.file.parent.mkdir(exist_ok=True)
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "ab") as stream:
                if stream.tell() < MOST_KEPT_BYTES:
                    stream.write(line.encode("utf-8", "replace"))


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can style and redraw its lines; FORCE_COLOR does not make it one."""
    capable = os.environ.get("TERM", "") not in ("", "dumb", "unknown") and os.environ.get("TTY_COMPATIBLE") != "0"
    return capable and stream.isatty()


class Marked(logging.Formatter):
    """Puts the level in front of a message, unless it is an ordinary one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return "message" or "warning: message", with nothing in it that a terminal would obey."""
        return mark(record) + printable(super().format(record))


def mark(record: logging.LogRecord) -> str:
    """Return what stands in front of a message."""
    return "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "


class PlainHandler(logging.Handler):
    """Writes a line for each message; what interrupts it, or finds no reader, is not swallowed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        print(self.format(record), file=sys.stderr, flush=True)


class TerminalHandler(logging.Handler):
    """Hands messages to rich's handler, which is imported with the first one: many commands have none."""

    @cached_property
    def rich(self) -> RichHandler:
        """Return the handler that prints above the progress bar."""
        from speedup.terminal import LineHandler

        handler = LineHandler()
        handler.setFormatter(self.formatter)
        return handler

    def emit(self, record: logging.LogRecord) -> None:
        """Let rich print a message."""
        self.rich.emit(record)
