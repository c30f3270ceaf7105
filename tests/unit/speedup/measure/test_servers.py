"""Servers that are named on the command line are measured without a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedup import entry
from tests.support import shapes

pytestmark = pytest.mark.usefixtures("wrk_on_path")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no matrix lies."""
    monkeypatch.chdir(tmp_path)


def test_plan_shows_what_would_be_measured_of_two_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first is the baseline; it takes about a minute; no file is written."""
    plain = shapes.command("plain")
    assert entry.main(["plan", "--json", "--server", plain, "--server", plain]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [duet["baseline"].partition("#")[0] for duet in plan["duets"]] == ["shapes/t1/c64/persistent"] * 2
    assert plan["preset"] == "quick"
    assert plan["estimated_s"] < 120
    assert list(tmp_path.iterdir()) == []


def test_servers_that_answer_different_things_are_asked_alike_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their numbers compare different work."""
    servers = [word for shape in ("plain", "http-1.0", "links") for word in ("--server", shapes.command(shape))]
    assert entry.main(["plan", *servers]) == 0
    said = capsys.readouterr()
    assert "warning: the servers answer different things" in said.err
    assert "/non-persistent" in said.out
    assert "/persistent" not in said.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["plan", "--server", "x", "--matrix", "m.toml"], "--matrix FILE or --server COMMAND, not both"),
        (["plan", "--path", "/x"], "--path belongs to --server COMMAND"),
        (["plan", "--server", "false"], "false: it ended with exit status 1"),
        (["plan", "--server", "a | b"], "'|' needs a shell"),
        (["run", "--server", "x", "--resume", "results/x"], "leave out --server"),
    ],
)
def test_what_does_not_go_together_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    """With exit code 2."""
    assert entry.main(words) == 2
    assert complaint in capsys.readouterr().err


def test_servers_that_share_no_mode_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """One closes always, the other never."""
    words = ["--server", shapes.command("http-1.0"), "--server", shapes.command("ignores-close")]
    assert entry.main(["plan", *words]) == 2
    assert "share no connection mode (shapes non-persistent, shapes-2 persistent)" in capsys.readouterr().err
