"""Load from several hosts, and what can befall it, done to real workers: killed, cut off, slowed, lying, unknown."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hosts import SSHD, Hosts, hosts, left_on, reason_without
from runners.loads.base import LoadJob
from runners.loads.wrk import Wrk
from runners.stats.histogram import decode, merge, percentile_us
from runners.tools.find import find_tools, known_tools, this_host
from tests.support import ROOT
from tests.support.fleet_bench import FleetBench

ODD = ROOT / "tests/support/odd_worker.py"
LACKING = reason_without() or next(
    (f"{name} is missing" for name, tool in find_tools(known_tools(), ("wrk", "locust"), this_host()).items()
     if not tool.found), None,
)  # fmt: skip

pytestmark = [
    pytest.mark.measures,
    pytest.mark.timeout(240),
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Return a server and three clients."""
    with hosts(3, tmp_path_factory.mktemp("keys") if SSHD else None) as made:
        yield made


@pytest.fixture
def bench(machines: Hosts, tmp_path: Path) -> Iterator[FleetBench]:
    """Return a folder in which fleets run; nothing is left on any host."""
    found = FleetBench(tmp_path, machines)
    yield found
    found.close()
    for host in (machines.server, *machines.clients):
        assert [line for line in left_on(host) if "sshd" not in line] == []


@pytest.mark.parametrize("mode", ["persistent", "non-persistent"])
def test_two_hosts_load_one_server_and_every_request_is_counted_once(bench: FleetBench, mode: str) -> None:
    """Counts agree with the server's kernel; percentiles are those of both histograms together."""
    bench.write(mode=mode)
    for client in bench.hosts.clients[:2]:
        bench.worker(client)
    ended = bench.run(2)
    assert ended.code == 0, ended.err
    (trial,) = bench.trials
    assert (trial.load, trial.network, trial.verdict) == ("fleet", "host", "ok"), trial.reason
    evidence = trial.evidence
    assert evidence is not None
    assert [client.name for client in evidence.clients] == ["client1", "client2"]
    assert [client.connections for client in evidence.clients] == [4, 4]
    assert trial.requests == sum(client.requests for client in evidence.clients) > 100
    assert max(client.started_us for client in evidence.clients) < 1_000_000
    checks = {check.id: check.outcome for check in trial.checks}
    assert [checks[name] for name in ("V2", "V3", "V4", "V22")] == ["pass"] * 4
    assert {"V28", "V29"} <= checks.keys()
    _is_sum_of_outputs(bench, decode(trial.latency or ""))


def _is_sum_of_outputs(bench: FleetBench, latency: dict[int, int]) -> None:
    """Check a merged histogram against the clients' own outputs, which the run keeps."""
    run = bench.read()
    (log,) = run.path.glob("logs/*/block0.load.txt")
    told = json.loads(log.read_text(encoding="utf-8").partition(" ")[2])
    jobs = [LoadJob("", 0, "/", "persistent", each["connections"], each["threads"], 0, 1) for each in told["clients"]]
    parts = [Wrk().parse(each["output"], job).latency or {} for each, job in zip(told["clients"], jobs, strict=True)]
    assert latency == merge(parts)
    flat = sorted(value for part in parts for value, count in part.items() for _ in range(count))
    assert percentile_us(latency, 50) == flat[-(-len(flat) // 2) - 1]


def test_locust_users_on_two_hosts_are_counted_in_the_same_second(bench: FleetBench) -> None:
    """For behaviour: users of Locust, in microseconds, from one moment to another."""
    bench.write()
    for client in bench.hosts.clients[:2]:
        bench.worker(client)
    ended = bench.run(2, "--load", "locust")
    assert ended.code == 0, ended.err
    (trial,) = bench.trials
    assert trial.load == "locust"
    assert trial.evidence is not None
    assert len({client.started_us for client in trial.evidence.clients}) == 1 or trial.checks
    assert trial.duration_us == 1_000_000
    assert trial.requests == sum(client.requests for client in trial.evidence.clients) > 10


def test_users_of_one_s_own_load_from_two_hosts_that_each_have_them(bench: FleetBench) -> None:
    """Who has others, or none, is refused and told what to do; nobody's code is sent to anybody."""
    bench.write()
    users = bench.folder / "users.py"
    users.write_text("from locust import FastHttpUser, constant, task\n\n\nclass Me(FastHttpUser):\n"
                     "    wait_time = constant(0.01)\n\n    @task\n    def ask(self):\n"
                     "        self.client.get('/?me')\n")  # fmt: skip
    matrix = bench.folder / "matrix.toml"
    matrix.write_text(matrix.read_text().replace("[suite]", '[suite]\nlocustfile = "users.py"', 1))
    without, *others = bench.hosts.clients
    bench.worker(without)
    for client in others:
        bench.worker(client, "--locustfile", "users.py")
    ended = bench.run(2, "--load", "locust")
    assert ended.code == 0, ended.err
    (trial,) = bench.trials
    assert trial.evidence is not None
    assert [client.name for client in trial.evidence.clients] == [client.name for client in others]
    assert 8 < (trial.requests or 0) <= 8 * 1.0 / 0.01 + 8
    assert f"rejected {without.name}: its locustfile is missing" in bench.master_log()
    fleet = bench.read().run.fleet
    assert fleet is not None
    known = {host["locustfile"] for host in fleet.hosts}
    assert known == {hashlib.sha256(users.read_bytes()).hexdigest()}


def test_a_worker_that_is_killed_under_load_spoils_that_trial_by_name_and_it_is_repeated(bench: FleetBench) -> None:
    """Never counted half; the worker that comes back is let in, and the block is measured again."""
    bench.write(blocks=4)
    first, second = bench.hosts.clients[:2]
    bench.worker(first)
    victim = bench.worker(second)
    with bench.running(2) as process:
        bench.wait_for(lambda: bench.is_loading(1) and bench.recorded() == 1)
        bench.wait_for(lambda: bench.log(second).read_text().count("loading ") == 2)
        victim.send_signal(signal.SIGKILL)
        bench.worker(second)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    spoilt = [trial for trial in bench.trials if trial.verdict != "ok"]
    assert [trial.block for trial in spoilt] == [1], err
    assert "V22 hosts: client client2" in (spoilt[0].reason or "")
    assert [trial.block for trial in bench.trials if trial.attempt == 1 and trial.verdict == "ok"] == [1]


def test_a_worker_that_is_killed_between_trials_is_waited_for(bench: FleetBench) -> None:
    """No trial is spoilt: the next one begins once all are here again."""
    bench.write(blocks=2)
    first, second = bench.hosts.clients[:2]
    bench.worker(first)
    victim = bench.worker(second)
    with bench.running(2) as process:
        bench.wait_for(lambda: bench.recorded() == 1)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        bench.worker(second)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [trial.verdict for trial in bench.trials].count("ok") == 2


def test_a_cable_that_is_pulled_and_put_back_spoils_one_trial(bench: FleetBench) -> None:
    """The trial under way is invalid; nothing hangs, and what follows is measured with all hosts."""
    bench.write(blocks=4)
    first, second = bench.hosts.clients[:2]
    for client in (first, second):
        bench.worker(client)
    with bench.running(2) as process:
        bench.wait_for(lambda: bench.log(second).read_text().count("loading ") == 2)
        second.cut()
        bench.wait_for(lambda: bench.recorded() >= 2)
        second.heal()
        _, err = process.communicate(timeout=150)
    assert process.returncode == 0, err
    spoilt = [trial for trial in bench.trials if trial.verdict != "ok"]
    assert len(spoilt) == 1, err
    assert "client2" in (spoilt[0].reason or "") or "segments lost" in (spoilt[0].reason or "")


def test_a_slow_cable_that_loses_segments_is_named(bench: FleetBench) -> None:
    """Retransmissions are seen by the kernels, and fail the trial."""
    bench.write(connections=128, lost="0.001%")
    first, second = bench.hosts.clients[:2]
    for client in (first, second):
        bench.worker(client)
    bench.wait_for(lambda: bench.log(second).exists())
    second.narrow()
    try:
        ended = bench.run(2)
    finally:
        second.widen()
    assert ended.code == 1, ended.err
    assert {trial.verdict for trial in bench.trials} == {"invalid"}
    for trial in bench.trials:
        assert "V6 segments lost" in (trial.reason or "") or "V22 hosts: client client2" in (trial.reason or "")


@pytest.mark.parametrize(("oddity", "reason"), [
    ("clock", "its clock is +5.0 s off"),
    ("version", "it has http-speedup 9.9.9"),
    ("wrk", "its wrk is wrk 9.9.9"),
    ("token", "its seal is wrong"),
])  # fmt: skip
def test_who_does_not_fit_is_refused_and_named(bench: FleetBench, oddity: str, reason: str) -> None:
    """The run goes on with the clients that fit, as if the other were not there."""
    bench.write()
    good, odd = bench.hosts.clients[:2]
    bench.worker(odd, program=(str(ODD), oddity))
    with bench.running(1, "--workers-wait", "90s") as process:
        bench.wait_for(lambda: "rejected" in bench.master_log())
        bench.worker(good)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert reason in err
    (trial,) = bench.trials
    assert trial.evidence is not None
    assert [client.name for client in trial.evidence.clients] == ["client1"]
    assert not bench.says(odd, "joined")


def test_a_worker_that_lies_never_counts(bench: FleetBench) -> None:
    """Another trial's answer, ten times the requests, nonsense: each is invalid by name, and the honest one counts."""
    bench.write(blocks=4)
    (client,) = bench.hosts.clients[:1]
    bench.worker(client, program=(str(ODD), "lies"))
    ended = bench.run(1)
    reasons = [trial.reason or trial.verdict for trial in bench.trials]
    assert "answered for another trial" in reasons[0], ended.err
    assert "V3 kernel agrees" in reasons[1]
    assert "malformed" in reasons[2]
    assert reasons[3] == "ok"


def test_strangers_at_the_port_change_nothing(bench: FleetBench) -> None:
    """Garbage, a huge frame, and Locust's own messages from who holds no token: the run does not notice."""
    bench.write(blocks=4)
    client = bench.hosts.clients[0]
    with bench.running(1) as process:
        stranger = bench.stranger(bench.hosts.clients[1])
        bench.wait_for(lambda: "dropped" in bench.master_log())
        bench.worker(client)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert stranger.wait(60) == 0, bench.log(bench.hosts.clients[1]).read_text()
    for trial in bench.trials:
        assert trial.verdict == "ok", trial.reason
        assert trial.evidence is not None
        assert [each.name for each in trial.evidence.clients] == ["client1"]


def test_a_run_that_is_killed_goes_on_with_the_workers_that_return(bench: FleetBench) -> None:
    """KILL ends harness and master; the workers join the next master by themselves, and the run is resumed."""
    bench.write(blocks=3)
    for client in bench.hosts.clients[:2]:
        bench.worker(client)
    with bench.running(2) as process:
        bench.wait_for(lambda: bench.recorded() == 1)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    before = bench.trials
    ended = bench.run(2, "--resume", str(bench.read().path))
    assert ended.code == 0, ended.err
    assert bench.trials[: len(before)] == before
    assert [trial.block for trial in bench.trials if trial.verdict == "ok"] == [0, 1, 2]


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed: speedup doctor --install --for tests")
def test_the_matrix_names_clients_that_ssh_reaches(bench: FleetBench) -> None:
    """Three workers are started through tunnels, need no token file, and end with the run; their output is kept."""
    path = f"PATH={bench.env['PATH']}"
    program = ["env", path, f"XDG_CACHE_HOME={bench.folder / 'remote'}", sys.executable, str(ROOT / "speedup")]
    more = "".join(
        f"\n[[client]]\nssh = 'root@{client.address}'\nname = '{client.name}'\nspeedup = {program!r}\n"
        f"options = {list(bench.hosts.ssh)!r}\n"
        for client in bench.hosts.clients
    )
    bench.write(more=more)
    ended = bench.run_of_matrix()
    assert ended.code == 0, ended.err
    (trial,) = bench.trials
    assert trial.evidence is not None
    assert len(trial.evidence.clients) == 3
    for client in bench.hosts.clients:
        log = bench.read().path / "logs" / f"client-{client.name}.txt"
        assert "joined; waiting for orders" in log.read_text(encoding="utf-8")


def test_clients_that_do_not_come_end_the_wait_with_who_is_here(bench: FleetBench) -> None:
    """The deadline is kept, and what to do is in the message."""
    bench.write()
    bench.worker(bench.hosts.clients[0])
    ended = bench.run(2, "--workers-wait", "8s")
    assert ended.code == 4
    assert "1 of 2 clients are here (client1)" in ended.err
    assert bench.recorded() == 0
