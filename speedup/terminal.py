"""What is drawn with rich: results on stdout, messages and the progress bar on stderr. Slow to import."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from speedup.messages import mark

STYLES = {"DEBUG": "dim", "WARNING": "bold yellow", "ERROR": "bold red", "CRITICAL": "bold red"}


class ResultConsole(Console):
    """A console for results, to which text is text, whatever brackets and colons it holds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Leave a reader that has gone to the command line, for which that is no failure."""
        raise BrokenPipeError


@cache
def message_console() -> Console:
    """Return the console on stderr that messages and the progress bar share, so that neither breaks the other."""
    return Console(stderr=True)


def table(*headings: str, **options: Any) -> Table:
    """Return a table without lines, whose cells break rather than lose text."""
    made = Table(box=None, pad_edge=False, **options)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


class LineHandler(RichHandler):
    """Rich's handler without its columns: a message is one line, which the terminal wraps, so that it can be copied."""

    def __init__(self) -> None:
        super().__init__(console=message_console())

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message above the bar; what interrupts that is not swallowed."""
        self.console.print(self.render_message(record, self.format(record)), soft_wrap=True)

    def render_message(self, record: logging.LogRecord, message: str) -> Text:
        """Return a message with its level in colour."""
        text = Text(message)
        text.stylize(STYLES.get(record.levelname, ""), 0, len(mark(record)))
        return text
