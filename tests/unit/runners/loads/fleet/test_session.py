"""A fleet for the length of a run: what a person is told of the master's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.loads.fleet.master.session import Teller, parse_address


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


def test_nothing_that_a_terminal_obeys_comes_from_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stranger chooses some of its words: no escape, no other line break, no long line, no flood."""
    log = tmp_path / "fleet.txt"
    log.write_text("".join(f"rejected \x1b[2J\r\x85\u202e{number}{'x' * 9000}\n" for number in range(1000)))
    Teller(log)()
    assert len(caplog.messages) == 21
    assert all(line.isprintable() and len(line) <= 300 for line in caplog.messages)
    assert caplog.messages[-1].startswith("rejected more; see ")


@pytest.mark.parametrize("text", ["host:²", "host:٣", "host:0", "host:65536", ":1", "host:-1"])
def test_what_is_no_port_is_bad_input(text: str) -> None:
    """Also a digit of another alphabet, which Python takes for one."""
    with pytest.raises(BadInput, match="is not an address"):
        parse_address(text)
