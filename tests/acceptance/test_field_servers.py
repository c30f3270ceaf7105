"""The servers of the group "field": built and started as matrix.toml says, and asked by the honesty gates."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from runners.matrix.cells import Selection
from runners.matrix.reading import read_matrix
from runners.plan.planning import Options, make_plan
from runners.tools.find import TOOL_DATA
from tests.support import ROOT

MATRIX, _ = read_matrix(ROOT / "matrix.toml", TOOL_DATA)
FIELD = {name: server for name, server in MATRIX.server.items() if server.group == "field"}
# What they are made of comes from a registry of their language.
FROM_REGISTRIES = {"cargo", "go", "maven"}
# What is true of these programs: the report shows their numbers with it, and does not rank them.
FLAWS = {
    "crystal": {"garbage"},  # 1.6 reads an endless header on and on: what is left of its limit becomes 0, never less
    "gnet": {"slow-reader"},  # it buffers without bound what a client does not read
    "netty": {"garbage"},  # it skips control characters and waits for more
    "uvicorn": {"garbage", "slow-reader"},  # httptools sets headers no limit; and it buffers as gnet does
    "uwebsockets": {"split", "pipeline", "slow-reader"},  # answers 505 to a cut request line, and loses answers
}

pytestmark = [pytest.mark.timeout(300)]


def server(name: str) -> Any:
    """The parameter for one server, with the marks that it needs."""
    if FROM_REGISTRIES.isdisjoint(FIELD[name].needs):
        return name
    return pytest.param(name, marks=[pytest.mark.network, pytest.mark.timeout(900)])


@pytest.mark.parametrize("name", [server(name) for name in FIELD])
def test_a_server_of_the_field_is_honest(name: str) -> None:
    """So it gets a number; and it is as robust as its class promises, but for flaws that are known and shown."""
    plan = make_plan(Options(ROOT / "matrix.toml", selection=Selection(only=(name,))))
    if reasons := {planned.reason for planned in plan.cells if planned.status == "unavailable"}:
        pytest.skip("; ".join(map(str, reasons)))
    checked = subprocess.run(
        [sys.executable, "-m", "speedup", "check", name, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    gates = [gate for found in json.loads(checked.stdout) for gate in found["gates"] if gate["required"]]
    failed = {gate["id"]: gate["saw"] for gate in gates if gate["outcome"] == "fail"}
    assert [gate for gate in gates if gate["kind"] == "honesty" and gate["outcome"] != "pass"] == []
    assert failed.keys() <= FLAWS.get(name, set()), (failed, checked.stderr)


def test_the_field_is_not_measured_unless_asked_for() -> None:
    """The default selection stays the document's, so that the first answer comes within minutes."""
    assert "field" not in MATRIX.suite.groups
    assert {"node", "asynchttp22"} <= FIELD.keys()
