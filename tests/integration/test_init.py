"""A server gets a valid number from its start command alone; tests/acceptance tries many kinds of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support import shapes
from tests.support.bench import Bench

pytestmark = pytest.mark.measures


def test_an_application_is_measured_from_init_to_a_number(bench: Bench) -> None:
    """JSON with a timestamp, from a server that reads PORT; no file is edited."""
    bench.initialize(shapes.command("timestamp"))
    bench.assert_measured()


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
