"""The main job: real servers under real load, recorded, judged and shown."""

from __future__ import annotations

import html
import os
import shutil
import subprocess

import pytest

from runners.records.folder import read_folder
from runners.records.run import RunFolder
from runners.tools.find import find_tools, known_tools, this_host
from tests.support import ROOT
from tests.support.bench import LOCUST_STARTS, ONCE, Bench

SERVERS = {"asynchttp": "nim", "epoll": "nim", "python_epoll": "python3", "go": "go", "h2o": "h2o"}
BUILDS_S = 300  # on a bare machine this run builds its servers, beside others that are built
PROOFS = ("V1", "V2", "V3", "V4", "V24")  # what no noise of the machine excuses

pytestmark = [pytest.mark.measures, pytest.mark.timeout(BUILDS_S + 60)]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Run some rows of the project's own matrix once, on one thread, as the README says."""
    bench = Bench(tmp_path_factory.mktemp("smoke"))
    bench.share_cache()
    only = [word for server in SERVERS for word in ("--only", f"{server}/t1")]
    matrix = ("--matrix", str(ROOT / "matrix.toml"), "--preset", "smoke")
    ended = bench.run("run", *matrix, *only, *ONCE, timeout_s=BUILDS_S)
    assert ended.code in (0, 1), ended.err
    assert ended.out.strip().endswith("report.html")
    return bench.read()


@pytest.mark.parametrize("mode", ["persistent", "non-persistent"])
@pytest.mark.parametrize("server", SERVERS)
def test_every_server_is_measured_in_both_modes_and_every_count_holds(smoke: RunFolder, server: str, mode: str) -> None:
    """Requests were answered, and generator, histogram and kernel agree on how many and over which connections."""
    if not find_tools(known_tools(), [SERVERS[server]], this_host())[SERVERS[server]].found:
        pytest.skip(f"{SERVERS[server]} is not installed: speedup doctor --install --for tests")
    trials = [trial for trial in smoke.trials if (trial.server, trial.mode) == (server, mode)]
    assert trials
    for trial in trials:
        assert trial.requests, trial.reason
        outcomes = {check.id: check.outcome for check in trial.checks}
        assert {outcomes[proof] for proof in PROOFS} <= {"pass", "unknown"}, trial.reason
        assert trial.server_cpu_us_per_request
        assert trial.latency


def test_the_report_holds_the_documents_rows_and_this_runs_numbers(smoke: RunFolder) -> None:
    """Every row of the document stands there with its published number, measured or not."""
    text = html.unescape((smoke.path / "report.html").read_text(encoding="utf-8"))
    for published in smoke.run.published:
        for trial in published.trials:
            assert f"{trial.requests_per_s:.0f}" in text.replace("\u202f", "").replace("\u2009", "")
    assert "its source is no longer published" in text
    assert "wrk -t 1 -c 64 -d 1s" in text


def test_duets_compare_two_servers_at_the_same_moment(bench: Bench) -> None:
    """Each duet is two trials with one pair, both roles, and opposite figures."""
    bench.write("none", "stubborn", blocks=2)
    ended = bench.run("run", "--duet", "stubborn", "none")
    assert ended.code == 0, ended.err
    trials = bench.read().trials
    assert len(trials) == 2 * 2 * 2
    for pair in {trial.pair for trial in trials}:
        members = [trial for trial in trials if trial.pair == pair and trial.block == 0]
        assert {trial.role for trial in members} == {"first", "second"}
        ratios = [trial.cost_log_ratio for trial in members if trial.cost_log_ratio is not None]
        assert sum(ratios) == pytest.approx(0.0)
        assert len(ratios) == 2
    warmups = list(bench.folders[0].glob("logs/*/*.warm-up.txt"))
    assert warmups
    assert all("requests" not in file.read_text() for file in warmups)  # ended at once, when their time was over
    assert "Duets" in (bench.folders[0] / "report.html").read_text(encoding="utf-8")


def test_a_budget_ends_a_run_and_says_so(bench: Bench) -> None:
    """Time is spent after the least number of blocks only as far as the budget goes."""
    bench.write("none", "stubborn", blocks=1)
    text = bench.matrix.read_text(encoding="utf-8").replace("max = 1", "max = 40")
    bench.matrix.write_text(text, encoding="utf-8")
    ended = bench.run("run", "--budget", "4s")
    assert ended.code == 0, ended.err
    run = bench.read().run
    assert {family.ended_by for family in run.families} == {"time budget"}
    assert len(bench.read().trials) < 20


def test_without_wrk_the_job_runs_with_locust_and_says_that_the_client_bounds_it(bench: Bench) -> None:
    """An ordinary user on a bare machine still gets a report, with the warning in plain words."""
    if not find_tools(known_tools(), ["locust"], this_host())["locust"].found:
        pytest.skip("Locust is not installed: speedup doctor --install --for tests")
    bench.write("none", modes=("persistent", "non-persistent"), warmup=LOCUST_STARTS)
    bench.share_cache()
    ended = bench.run("run", "--load", "locust")
    assert ended.code == 0, ended.err
    trials = bench.read().trials
    assert {trial.load for trial in trials} == {"locust"}
    assert {trial.mode for trial in trials} == {"persistent", "non-persistent"}
    assert all(trial.requests and trial.latency for trial in trials)
    assert "bounded by the client" in (bench.folders[0] / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_loses_nothing_that_was_recorded(bench: Bench) -> None:
    """The run ends with a clear line, and what was written before is whole."""
    small = bench.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)], check=True)
    try:
        bench.write("none", blocks=60)
        ended = bench.run("run", "--results", str(small))
        (folder,) = small.iterdir()
        kept = bench.folder / "kept"
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert ended.code == 1
    assert "No space left on device" in ended.err
    assert "Traceback" not in ended.err
    assert {(trial.verdict, trial.reason) for trial in read_folder(kept).trials} == {("ok", None)}
    assert bench.processes() == []
