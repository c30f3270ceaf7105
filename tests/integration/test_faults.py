"""What goes wrong becomes a recorded verdict with its reason; the rest is measured, and nothing is left running."""

from __future__ import annotations

import html
import json
import signal
import socket
from dataclasses import dataclass

import pytest

from runners.server.process import HOST, PORTS
from tests.support.bench import FAULTY, ONCE, Bench, Ended, interrupt

pytestmark = pytest.mark.measures

FAULTS = {
    "never-listens": ("failed", "does not listen on 127.0.0.1:"),
    "exits": ("failed", "ended with exit status 1 before it answered; its last output: faulty: no configuration"),
    "wrong-body": ("invalid", "answers the body 'Hello Mars!'"),
    "dies-later": ("failed", "the server died (SIGSEGV)"),
    "longer-later": ("invalid", "V24 response length"),
    "errors": ("invalid", "status errors"),
}
UNUSABLE = """
[tool.magic]
commands = ["no-such-program-anywhere"]
hint = "ask the wizard"

[server.lame]
dir = "."
needs = ["magic"]
run = ["no-such-program-anywhere"]

[server.unbuilt]
dir = "."
build = ["sh", "-c", "echo one; echo 'two: syntax error' >&2; exit 7"]
run = ["{out}"]
"""
BLOCKS = 5  # enough to be disturbed before the end, also by a test that is late


@dataclass(frozen=True)
class Done:
    """A run that ended, where it was, and the text of its report."""

    bench: Bench
    ended: Ended
    page: str


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Run servers with all kinds of faults, and an honest one, once for all tests that look at what became of them."""
    bench = Bench(tmp_path_factory.mktemp("faults"))
    bench.write(*FAULTS, "stubborn", "leaves-child", "none", more=UNUSABLE)
    ended = bench.run("run", *ONCE)
    assert len(bench.folders) == 1, ended.err
    page = (bench.folders[0] / "report.html").read_text(encoding="utf-8")
    return Done(bench, ended, html.unescape(page))


def test_an_honest_server_is_measured_and_every_request_counted(done: Done) -> None:
    """Among servers with faults, the trial of a plain one is ok, and all its counts agree."""
    trial = done.bench.trial("none")
    assert trial.verdict == "ok", trial.reason
    assert trial.requests is not None
    assert trial.requests > 80
    assert [check.outcome for check in trial.checks if check.id in {"V1", "V2", "V4", "V24"}] == ["pass"] * 4
    assert trial.server_cpu_us_per_request is not None
    assert trial.client_cpu_us_per_request is not None
    assert trial.rss_bytes is not None


def test_a_run_with_faults_ends_with_1_and_the_path_of_its_report(done: Done) -> None:
    """Faulty rows are no reason to give up, nor to claim success."""
    assert done.ended.code == 1
    assert done.ended.out.strip().endswith("report.html")


def test_nothing_is_left_running(done: Done) -> None:
    """Neither servers that will not stop nor children in sessions of their own outlive the run."""
    assert done.bench.processes() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(done: Done, fault: str) -> None:
    """A broken server gets its verdict and reason, in the record and in the report."""
    verdict, reason = FAULTS[fault]
    trial = done.bench.trial(fault)
    assert trial.verdict == verdict
    assert reason in (trial.reason or "")
    assert reason in done.page


def test_a_server_that_will_not_stop_is_killed(done: Done) -> None:
    """INT and TERM are ignored; KILL ends it, and the record says so."""
    trial = done.bench.trial("stubborn")
    assert (trial.verdict, trial.server_exit) == ("ok", "SIGKILL")


def test_a_missing_tool_makes_rows_unavailable_and_says_what_brings_it(done: Done) -> None:
    """A row whose tool is missing stays in the report with the line that helps."""
    cells = {cell.server: cell for cell in done.bench.read().run.cells}
    assert cells["lame"].status == "unavailable"
    assert "ask the wizard" in (cells["lame"].reason or "")


def test_a_failed_build_shows_its_last_lines(done: Done) -> None:
    """A build that breaks is a result: its output is in the report."""
    (build,) = (build for build in done.bench.read().run.builds if build.variant == "unbuilt")
    assert build.status == "failed"
    assert "two: syntax error" in build.output_tail
    assert "exit status 7" in build.output_tail
    assert "two: syntax error" in done.page


def test_a_server_that_ignores_close_is_not_measured_as_non_persistent(bench: Bench) -> None:
    """Without the header in the answer wrk would keep its connections, so there is no number."""
    bench.write("ignores-close", modes=("non-persistent",))
    bench.run("run", *ONCE)
    trial = bench.trial("ignores-close")
    assert (trial.verdict, trial.requests) == ("invalid", None)
    assert "Connection: close" in (trial.reason or "")


def test_a_port_in_use_is_passed_over(bench: Bench) -> None:
    """The next free port is taken where somebody listens already."""
    bench.write("none")
    with socket.create_server((HOST, PORTS[0])):
        assert bench.run("run", "--network", "host").code == 0
    assert f"--port={PORTS[1]}" in bench.trial("none").commands[0].argv


def test_a_server_on_a_port_of_its_own_that_is_in_use_fails_with_its_own_words(bench: Bench) -> None:
    """A server that does not listen where it is told is not mistaken for whoever does."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        bench.write("none")
        text = bench.matrix.read_text(encoding="utf-8").replace("--port={port}", f"--port={port}")
        bench.matrix.write_text(text, encoding="utf-8")
        assert bench.run("run", "--network", "host", *ONCE).code == 1
    assert "Address already in use" in (bench.trial("none").reason or "")


def test_ctrl_c_is_recorded_leaves_nothing_and_resume_completes(bench: Bench) -> None:
    """An interrupted trial is `not run`; the report is written, and resume measures just what is missing."""
    bench.write("none", blocks=BLOCKS)
    process = bench.start("run")
    bench.wait_for(lambda: bench.is_loading(block=1))
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert "run --resume" in ended.err
    *done, last = bench.read().trials
    assert ({trial.verdict for trial in done}, last.verdict) == ({"ok"}, "not run")
    assert (bench.folders[0] / "report.html").exists()
    assert bench.processes() == []
    resumed = bench.run("run", "--resume", str(bench.folders[0]))
    assert resumed.code == 0, resumed.err
    measured = [trial.block for trial in bench.read().trials if trial.verdict == "ok"]
    assert measured == list(range(BLOCKS))


def test_ctrl_c_before_the_first_trial_says_that_it_was_that(bench: Bench) -> None:
    """While a server is built there is nothing to report yet, and nothing is left of the build."""
    bench.write("none", more='[server.slow]\ndir = "."\nbuild = ["sleep", "100"]\nrun = ["{out}"]\n')
    process = bench.start("run")
    bench.wait_for(lambda: bool(bench.processes()))
    ended = interrupt(process, signal.SIGINT)
    assert (ended.code, ended.out) == (130, "")
    assert "speedup: interrupted (SIGINT)" in ended.err
    assert bench.processes() == []


def test_term_ends_a_run_like_ctrl_c(bench: Bench) -> None:
    """A service manager's TERM is heeded as well."""
    bench.write("none", blocks=BLOCKS)
    process = bench.start("run")
    bench.wait_for(lambda: bench.is_loading(block=1))
    assert interrupt(process, signal.SIGTERM).code == 130
    assert bench.processes() == []


def test_a_killed_run_leaves_no_process_and_resume_completes(bench: Bench) -> None:
    """After SIGKILL the kernel ends server and client; the next start ends what they had started; resume completes."""
    bench.write("leaves-child", blocks=BLOCKS)
    process = bench.start("run")
    bench.wait_for(lambda: bench.is_loading(block=1))
    interrupt(process, signal.SIGKILL)
    bench.wait_for(lambda: not [line for line in bench.processes() if "sleep 600" not in line])
    resumed = bench.run("run", "--resume", str(bench.folders[0]))
    assert resumed.code == 0, resumed.err
    assert sorted((trial.block or 0) for trial in bench.read().trials) == list(range(BLOCKS))
    assert bench.processes() == []


def test_a_torn_last_record_is_measured_again(bench: Bench) -> None:
    """Half a line, as a power cut leaves it, does not count."""
    bench.write("none")
    bench.run("run", *ONCE)
    file = bench.folders[0] / "trials.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert bench.read().trials == ()
    assert bench.run("run", "--resume", str(bench.folders[0])).code == 0
    assert bench.trial("none").verdict == "ok"


def test_resume_refuses_when_the_sources_changed(bench: Bench) -> None:
    """Numbers of two different programs never stand in one run."""
    bench.write("none")
    text = bench.matrix.read_text(encoding="utf-8")
    own = bench.folder / "own"
    own.mkdir()
    source = FAULTY / "server.py"
    (own / "server.py").write_bytes(source.read_bytes())
    line = next(line for line in text.splitlines() if line.startswith("dir = "))
    bench.matrix.write_text(text.replace(line, 'dir = "own"'), encoding="utf-8")
    assert bench.run("run").code == 0
    (own / "server.py").write_bytes(source.read_bytes() + b"\n# changed\n")
    ended = bench.run("run", "--resume", str(bench.folders[0]))
    assert ended.code == 2
    assert "start a new run" in ended.err


def test_two_runs_at_once_are_refused(bench: Bench) -> None:
    """Two runs on one machine would measure each other."""
    bench.write("none", blocks=2)
    process = bench.start("run")
    bench.wait_for(lambda: bench.lines() == 1)
    ended = bench.run("run")
    interrupt(process, signal.SIGINT)
    assert ended.code == 4
    assert "another run" in ended.err


def test_a_mistake_in_the_matrix_runs_nothing(bench: Bench) -> None:
    """Every mistake is named with its place, and the exit code is 2."""
    bench.write("none", more="[server.none.variant.x]\nflgs = []\n")
    ended = bench.run("run")
    assert ended.code == 2
    assert "unknown key 'flgs' - did you mean 'flags'?" in ended.err
    assert bench.folders == []


def test_a_selection_of_nothing_is_exit_3(bench: Bench) -> None:
    """A glob that matches no cell is answered with what there is."""
    bench.write("none")
    ended = bench.run("plan", "--only", "nine")
    assert ended.code == 3
    assert "did you mean 'none'?" in ended.err


def test_plan_and_doctor_print_json(bench: Bench) -> None:
    """Programs read both."""
    bench.write("none")
    assert json.loads(bench.run("plan", "--json").out)["trials"] == 1
    assert json.loads(bench.run("doctor", "--json").out)["tools"]
