"""What the doctor says of a machine made of small shell scripts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from speedup import entry
from speedup.terminal import ResultConsole
from speedup.tools import doctor
from tests.unit.runners.tools.test_tools import ZOOM, FakeMachine, fake_machine

__all__ = ["fake_machine"]

MATRIX = """\
suite = { title = "T" }
preset.quick = { warmup = "0s", duration = "1s" }
machine.local = { threads = [1], connections = [64] }
server.a = { run = ["a"], dir = "." }

[tool.zoom]
commands = ["no-such-zoom"]
"""


def test_programs_are_told_everything(machine: FakeMachine) -> None:
    """The JSON holds each tool's whole status."""
    statuses = doctor.examine({"zoom": ZOOM}, (), machine.host())
    report = json.loads(doctor.to_json(statuses, {"cpus": "2"}))
    assert report["schema"] == "speedup.doctor/1"
    assert report["machine"] == {"cpus": "2"}
    assert report["tools"][0]["name"] == "zoom"
    assert report["tools"][0]["status"] == "missing"
    assert report["tools"][0]["version"] is None


def test_people_are_told_what_to_do(machine: FakeMachine) -> None:
    """Below the table each tool that is not there has a line of advice."""
    machine.program("apt-get", "exit 0")
    statuses = doctor.examine({"zoom": ZOOM}, (), machine.host())
    text = io.StringIO()
    doctor.print_report(statuses, {"cpus": "2"}, ResultConsole(file=text))
    advice = "Zoom: zoom or zoom2 is not on the PATH. To get it: sudo apt-get install zoom-bin. Ask around."
    assert advice in text.getvalue()
    assert "0 of 1 tools are installed" in text.getvalue()


def test_the_doctor_succeeds_whatever_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code is 0, and stdout is data alone."""
    (tmp_path / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    assert entry.main(["doctor", "--matrix", str(tmp_path / "matrix.toml"), "--for", "load", "--json"]) == 0
    assert {tool["name"] for tool in json.loads(capsys.readouterr().out)["tools"]} >= {"wrk", "locust"}


def test_it_is_known_whether_namespaces_are_permitted(machine: FakeMachine) -> None:
    """Either as root or in a user namespace will do."""
    assert not doctor.may_make_namespaces(machine.host())
    machine.program("unshare", '[ "$1" = --map-root-user ]')
    assert doctor.may_make_namespaces(machine.host())
