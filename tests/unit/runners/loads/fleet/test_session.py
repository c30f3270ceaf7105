"""A fleet for the length of a run: what a person is told of the master's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.loads.fleet.master.session import Teller


def test_a_person_is_told_who_joins_who_is_refused_and_who_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each once, as soon as its line is whole; what is only of use in the log stays there."""
    log = tmp_path / "fleet.txt"
    log.write_text("")
    tell = Teller(log)
    tell()
    assert caplog.messages == []
    with log.open("a") as stream:
        stream.write("a joined: 2 CPUs, Some CPU\ndropped a message from 'x': it did not join\nrejected b: its wrk")
        stream.flush()
        tell()
        assert caplog.messages == ["  a joined: 2 CPUs, Some CPU"]
        stream.write(" is missing\nwaiting for 1 of 2 clients, at most 60 s; here: a\n")
        stream.flush()
        tell()
        tell()
    assert caplog.messages[1:] == [
        "rejected b: its wrk is missing",
        "  waiting for 1 of 2 clients, at most 60 s; here: a",
    ]
