"""Messages: plain lines in logs, marked and above the bar on a terminal, never in the results."""

from __future__ import annotations

import io
import logging
import os
import re
from pathlib import Path

import pytest

from runners.errors import Interrupted
from speedup import messages
from speedup.progress import LiveReporter, reporter
from speedup.streams import unheard
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


def test_messages_of_a_run_are_kept_in_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the line that says how to resume is found, should nobody have read it."""
    messages.configure()
    with messages.kept_in(tmp_path / "logs") as note:
        log.warning("wrk is missing")
        note("speedup: interrupted")
    log.info("later")
    kept = (tmp_path / "logs/run.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(" ")[2] for line in kept] == ["warning: wrk is missing", "speedup: interrupted"]
    assert capsys.readouterr().err == "warning: wrk is missing\nlater\n"


def test_messages_that_cannot_be_kept_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, the folder is gone, a link was planted there, or there is enough already."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    (tmp_path / "run.txt").symlink_to(key)
    for folder in (tmp_path / "no/such", tmp_path, key):
        with messages.kept_in(folder) as note:
            note("x")
    assert key.read_text(encoding="utf-8") == "secret"
    monkeypatch.setattr(messages, "MOST_KEPT_BYTES", 10)
    with messages.kept_in(tmp_path / "logs") as note:
        note("first")
        note("second")
    assert len((tmp_path / "logs/run.txt").read_text(encoding="utf-8").splitlines()) == 1


def test_a_reader_that_leaves_does_not_end_what_is_said() -> None:
    """The bar and the messages of a terminal that is closed go nowhere, quietly."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise BrokenPipeError

        def fileno(self) -> int:
            return self.descriptor

        descriptor = os.open(os.devnull, os.O_WRONLY)

    stream = unheard(Closed())
    print("x", file=stream, flush=True)
    assert stream.isatty() is False
    os.close(Closed.descriptor)
