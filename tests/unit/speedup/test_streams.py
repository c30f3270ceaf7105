"""Readers that leave, streams that are closed, and signals at any moment, seen from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

SPEEDUP = (sys.executable, str(ROOT / "speedup"))
PUBLISHED = str(ROOT / "published/2015-xeon-e5-2680")

# Begins as the command line does, and then does what a test says instead of a command.
BEGUN = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from speedup import early, entry
early.begin()
{before}
class Parsed:
    debug = False
    def action(self, _arguments):
        {act}
class Parser:
    def parse_args(self, _words):
        return Parsed()
import speedup.parser
speedup.parser.build_parser = lambda _words: Parser()
entry.run()
"""


def begun(act: str, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """Start a command that does something."""
    code = BEGUN.format(root=str(ROOT), act=act, before=before)
    words = [sys.executable, "-c", code]
    return subprocess.Popen(words, text=True, stderr=subprocess.PIPE, **options)


def test_a_reader_that_leaves_takes_no_error_with_it() -> None:
    """As in `speedup report ... | head -1`: nothing is wrong."""
    process = subprocess.Popen([*SPEEDUP, "verify", PUBLISHED], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate()
    assert (process.returncode, said) == (0, b"")


def test_messages_that_nobody_reads_change_no_exit_code() -> None:
    """As when a terminal is closed: the error keeps its code, and what is to be done is done."""
    reading, writing = os.pipe()
    os.close(reading)
    code = subprocess.run([*SPEEDUP, "report", "nowhere"], stderr=writing, check=False).returncode
    os.close(writing)
    assert code == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_closed_is_no_error(closed: str, tmp_path: Path) -> None:
    """And no file that is opened later takes its place, to be written over by messages."""
    script = f'exec "$0" "$1" report "$2" --format txt --output "$3" {closed}'
    words = ["sh", "-c", script, *SPEEDUP, PUBLISHED, str(tmp_path / "report.txt")]
    assert subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    assert "speedup:" not in (tmp_path / "report.txt").read_text(encoding="utf-8")


def test_a_result_that_finds_no_room_is_one_line() -> None:
    """/dev/full stands for a full disk."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*SPEEDUP, "verify", PUBLISHED], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"speedup: No space left on device\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("phase", ["before", "act"])
def test_a_signal_is_one_line_and_130_at_any_moment(phase: str, name: str) -> None:
    """While modules are imported, and when the command is under way, whose cleaning up is done."""
    wait = "print('x', flush=True); time.sleep(60)"
    tidy = f"try: {wait}\n        finally: print('tidy', flush=True)"
    process = begun(tidy if phase == "act" else "pass", wait if phase == "before" else "", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "x\n"
    process.send_signal(getattr(signal, name))
    out, err = process.communicate()
    assert (process.returncode, err) == (130, f"speedup: interrupted ({name})\n")
    assert out == ("tidy\n" if phase == "act" else "")


def test_a_signal_that_a_callback_swallows_comes_again() -> None:
    """What a handler raises inside one of Python's own callbacks is lost."""
    class_ = "type('Odd', (), {'__del__': lambda self: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(0.1)})"
    process = begun(f"{class_}(); time.sleep(60)", stdout=subprocess.DEVNULL)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "speedup: interrupted (SIGTERM)\n")


def test_a_signal_that_an_import_turns_into_another_error_is_still_one_line() -> None:
    """Classes wrap what their parts raise; libraries do as well."""
    kill = "os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"
    odd = f"try: {kill}\n        except BaseException: raise RuntimeError('odd')"
    process = begun(odd, stdout=subprocess.DEVNULL)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "speedup: interrupted (SIGINT)\n")


def test_what_nohup_ignores_stays_ignored() -> None:
    """A run that was started to outlive its terminal does."""
    act = "print('x', flush=True); time.sleep(0.5); print('alive', flush=True); return 0"
    process = begun(act, stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "alive\n")
