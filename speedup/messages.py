"""Where messages go: to stderr, through rich on a terminal and as plain lines elsewhere. Results go to stdout."""

from __future__ import annotations

import logging
import os
import sys
from functools import cached_property

from runners.units import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.logging import RichHandler

log = logging.getLogger("speedup")
PACKAGES = ("speedup", "reports", "runners")


def configure(*, debug: bool = False) -> None:
    """Show the messages of our packages from now on; with `debug`, those for developers too."""
    handler = TerminalHandler() if is_terminal(sys.stderr) else PlainHandler()
    handler.setFormatter(Marked())
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.DEBUG if debug else logging.INFO)


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
