"""What real load generators print, imported: nothing contradicts itself, and what they asked for is read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.trust.consistency import apply_rules
from runners.records.folder import read_folder
from runners.records.trial import Trial
from speedup.entry import main
from tests.support.fake_http import FakeServer

GO_TOOLS = Path(__file__).with_name("gotools")  # a module whose go.sum pins these programs
SECONDS = 1
CONNECTIONS = 4
COMMANDS = {  # the program and its options; those of Go are built on the first call
    "wrk": ("wrk", "-t", "2", "-c", "4", "-d", "1s", "--latency"),
    "h2load": ("h2load", "--h1", "-t", "2", "-c", "4", "-D", "1"),
    "bombardier": ("go", "tool", "bombardier", "-c", "4", "-d", "1s", "-l", "-p", "i,r"),
    "bombardier-json": ("go", "tool", "bombardier", "-c", "4", "-d", "1s", "-l", "-p", "r", "-o", "json"),
    "hey": ("go", "tool", "hey", "-c", "4", "-z", "1s"),
}
OF_GO = [name for name, argv in COMMANDS.items() if argv[0] == "go"]
PRINTS_CONNECTIONS = set(COMMANDS) - {"hey"}

pytestmark = pytest.mark.measures


@pytest.fixture(name="url", scope="module")
def server_url() -> Iterator[str]:
    """Return where an honest server listens."""
    with FakeServer() as server:
        yield f"http://127.0.0.1:{server.port}/"


def imported(name: str, url: str, folder: Path) -> Trial:
    """Run a load generator and return the trial that its output is imported as."""
    argv = [*COMMANDS[name], url]
    done = subprocess.run(argv, cwd=GO_TOOLS, capture_output=True, text=True, timeout=100, check=True)
    file = folder / "server.txt"
    file.write_text(done.stdout, encoding="utf-8")
    assert main(["import", str(file), "--results", str(folder / "results")]) == 0
    (run,) = (folder / "results").iterdir()
    (trial,) = read_folder(run).trials
    return trial


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.network] if name in OF_GO else []) for name in COMMANDS]
)
def test_a_real_output_is_read_and_agrees_with_itself(name: str, url: str, tmp_path: Path) -> None:
    """By all rules that have data; a closed loop keeps its connections busy."""
    trial = imported(name, url, tmp_path)
    assert trial.load == name.partition("-")[0]
    assert trial.connections == (CONNECTIONS if name in PRINTS_CONNECTIONS else None)
    assert trial.requests
    assert trial.requests_per_s
    assert 0 < trial.latency_us["mean"] <= trial.latency_us["max"]
    saws = [finding.saw for result in apply_rules([trial]) for finding in result.findings]
    assert [saw for saw in saws if "percentile" in saw or "requests per second" in saw] == []
    assert trial.bytes_read is None or trial.bytes_read > trial.requests * len("HTTP/1.1 200 OK")
