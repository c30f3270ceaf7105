"""Transcripts in the documentation: run, and compared with what they show."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys

import pytest

from runners.tools.find import find_tools, known_tools, this_host
from tests.support import ROOT
from tests.unit.project.test_docs import Command, all_commands

NEEDED = ("wrk", "nim", "cc", "go", "python3")
RUN = [command for command in all_commands() if command.runs]


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    """Skip where a plan would call cells unavailable that the transcripts list."""
    missing = [name for name, tool in find_tools(known_tools(), NEEDED, this_host()).items() if not tool.found]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: speedup doctor --install --for tests")


@pytest.mark.parametrize("command", RUN, ids=str)
def test_every_transcript_shows_what_its_command_prints(command: Command) -> None:
    """Standard output and error together; `...` stands for anything."""
    done = subprocess.run(
        [sys.executable, "-m", "speedup", *(command.arguments or ())],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    wanted = "\n".join(line.rstrip() for line in command.output.splitlines()) + "\n"
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"
    assert doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS), printed


def test_plan_json_help_and_doctor_are_among_the_transcripts() -> None:
    """A change of their output is noticed."""
    shown = {word for command in RUN for word in command.words}
    assert {"plan", "--json", "--help", "doctor"} <= shown
