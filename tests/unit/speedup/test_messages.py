"""Messages: plain lines in logs, marked and above the bar on a terminal, never in the results."""

from __future__ import annotations

import logging
import re

import pytest

from runners.errors import Interrupted
from speedup import messages
from speedup.progress import LiveReporter, reporter
from tests.unit.speedup.conftest import Terminal
from tests.unit.speedup.test_progress import pace

log = logging.getLogger("runners.test")
LONG = "speedup worker --master 192.0.2.1:5557 --token-file fleet.token " * 4


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what is no ordinary message is marked; nothing is on stdout."""
    messages.configure()
    log.debug("for developers")
    log.info("building 3 variants")
    log.warning("wrk is missing")
    said = capsys.readouterr()
    assert said.err == "building 3 variants\nwarning: wrk is missing\n"
    assert said.out == ""


def test_debug_shows_what_is_for_developers(capsys: pytest.CaptureFixture[str]) -> None:
    """Of our own packages only: libraries have much to say."""
    messages.configure(debug=True)
    log.debug("for developers")
    logging.getLogger("somebody.elses").debug("for others")
    assert capsys.readouterr().err == "debug: for developers\n"


def test_configuring_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    """As a test does that runs two commands."""
    messages.configure()
    messages.configure()
    log.info("once")
    assert capsys.readouterr().err == "once\n"


def test_a_terminal_gets_a_marked_warning(terminal: Terminal) -> None:
    """Coloured, with brackets as they are."""
    with terminal.as_stderr():
        messages.configure()
        log.warning("[bold] is text")
        log.info("and so is :smile:")
    shown = terminal.shown()
    assert re.search(r"\x1b\[[0-9;]*33m", shown)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert plain == "warning: [bold] is text\r\nand so is :smile:\r\n"


def test_a_long_message_is_one_line(terminal: Terminal) -> None:
    """The terminal wraps it, so that a command in it can be copied."""
    with terminal.as_stderr():
        messages.configure()
        log.info(LONG)
    assert terminal.shown() == f"{LONG}\r\n"


def test_a_message_stands_above_the_bar(terminal: Terminal) -> None:
    """Both are drawn by the same console, so neither overwrites the other."""
    with terminal.as_stderr():
        messages.configure()
        talk = reporter()
        assert isinstance(talk, LiveReporter)
        talk.begin(pace(2))
        log.info("between two trials")
        talk.end()
    assert re.search(r"\x1b\[2Kbetween two trials\r\n.*0/2", terminal.shown(), re.DOTALL)


def test_an_interruption_is_not_lost_in_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """logging's own handlers would swallow it, and print a traceback."""

    def interrupted(_record: logging.LogRecord) -> str:
        raise Interrupted("interrupted (SIGTERM)")

    messages.configure()
    monkeypatch.setattr(messages.Marked, "format", lambda _self, record: interrupted(record))
    with pytest.raises(Interrupted):
        log.info("never shown")
    assert capsys.readouterr().err == ""
