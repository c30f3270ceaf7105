"""Servers of the shapes that people have get a valid number from their start command alone, and no file is edited."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runners.errors import UnfitMachine
from tests.support import shapes
from tests.support.bench import VALIDITY, Bench
from tests.support.shelf import free_port

pytestmark = [pytest.mark.measures, pytest.mark.timeout(600)]

MATRIX = ("--matrix", "matrix.toml", "--preset", "smoke")
SHAPES = ["timestamp", "two-writes", "http-1.0"]  # tests/acceptance tries all of them


def initialize(bench: Bench, command: str) -> None:
    """Write a matrix for a command; how calm the machine is that runs the tests is not what they are about."""
    ended = bench.run("init", "--name", "mine", "--run", command)
    assert ended.code == 0, ended.err
    with bench.matrix.open("a", encoding="utf-8") as file:
        file.write(f'{VALIDITY}lost_segments = "1%"\n')


def assert_measured(bench: Bench) -> None:
    """Assert that every cell has a valid number from the beginning."""
    ended = bench.run("run", *MATRIX, "--only", "mine", timeout_s=590)
    assert ended.code == 0, ended.err
    assert bench.processes() == []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_of_any_usual_shape_is_measured(bench: Bench, shape: str) -> None:
    """It reads PORT, as most do; nobody has to say so."""
    initialize(bench, shapes.command(shape))
    assert_measured(bench)


def test_a_server_that_is_told_its_port_is_measured(bench: Bench) -> None:
    """Another one in each trial."""
    initialize(bench, shapes.command("plain", "{port}"))
    assert_measured(bench)


def test_a_server_on_a_fixed_port_is_measured(bench: Bench) -> None:
    """The matrix says which one."""
    port = free_port()
    initialize(bench, shapes.command("plain", str(port)))
    assert f"port = {port}" in bench.matrix.read_text(encoding="utf-8")
    assert_measured(bench)


def test_two_servers_on_the_same_fixed_port_are_compared(bench: Bench) -> None:
    """They are examined one after the other, and each trial has a network of its own, even in a duet."""
    port = free_port()
    words = [word for _ in range(2) for word in ("--server", shapes.command("plain", str(port)))]
    ended = bench.run("run", *words, "--preset", "smoke", "--network", "namespace", timeout_s=590)
    if ended.code == UnfitMachine.exit_code:
        pytest.skip("network namespaces are not permitted here, so only one server can have the port")
    assert ended.out.strip().endswith("report.html"), ended.err
    assert {honesty.variant for honesty in bench.read().run.honesty if not honesty.failed} == {"shapes", "shapes-2"}
    assert not [trial.reason for trial in bench.read().trials if trial.verdict == "failed"]


def test_the_ruler_that_init_adds_stands_beside_an_application(bench: Bench) -> None:
    """It answers the same JSON."""
    initialize(bench, shapes.command("timestamp"))
    bench.share_cache()
    ended = bench.run("run", *MATRIX, "--only", "floor", timeout_s=590)
    assert ended.code == 0, ended.err


def test_servers_on_the_command_line_are_measured_without_a_file_and_resumed(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The run folder holds the matrix that was made for them; the cache lies elsewhere, since it is no source."""
    bench.env["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    command = shapes.command("plain")
    ended = bench.run("run", "--server", command, "--server", command, "--preset", "smoke")
    assert ended.out.strip().endswith("report.html"), ended.err
    assert list(bench.folder.glob("*.toml")) == []
    run = bench.read().run
    assert {cell.server for cell in run.cells} == {"shapes", "shapes-2"}
    assert json.loads((bench.folders[0] / "run.json").read_text(encoding="utf-8"))["matrix"] == run.matrix

    resumed = bench.run("run", "--resume", str(bench.folders[0]))
    assert re.search(r"^\d+ trials: ", resumed.err, re.MULTILINE), resumed.err
    assert Path(resumed.out.strip()).name == "report.html"
