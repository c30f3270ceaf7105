"""A terminal, a machine that has wrk, and logging as it was before."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, redirect_stderr
from dataclasses import dataclass
from typing import TextIO

import pytest

from speedup.messages import PACKAGES
from speedup.terminal import message_console

WRK = """\
#!/bin/sh
echo "wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer"
exit 1
"""


@dataclass
class Terminal:
    """A pseudo terminal: `keyboard` is where programs write, `screen` the descriptor from which a person reads."""

    keyboard: TextIO
    screen: int

    def as_stderr(self) -> AbstractContextManager[object]:
        """Make it stderr for a while."""
        return redirect_stderr(self.keyboard)

    def shown(self) -> str:
        """Return all that was written to it; it may come in pieces."""
        shown = b""
        while select.select([self.screen], [], [], 0.5)[0]:
            shown += os.read(self.screen, 65536)
        return shown.decode()


@pytest.fixture(name="terminal")
def pseudo_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Return a terminal that can show colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    message_console.cache_clear()
    screen, descriptor = os.openpty()
    with open(descriptor, "w", encoding="utf-8") as keyboard:  # noqa: PTH123 - a descriptor, not a path
        yield Terminal(keyboard, screen)
    os.close(screen)
    message_console.cache_clear()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Take away the handlers that the command line sets."""
    yield
    for name in PACKAGES:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def wrk_on_path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans find a wrk, which may not be installed yet."""
    wrk = tmp_path_factory.mktemp("bin") / "wrk"
    wrk.write_text(WRK, encoding="utf-8")
    wrk.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrk.parent}{os.pathsep}{os.environ['PATH']}")
