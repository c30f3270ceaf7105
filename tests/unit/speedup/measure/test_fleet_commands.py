"""The fleet on the command line: what is missing or contradicts itself ends with 2, and what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.loads.fleet.master.session import PORT, FleetOptions, parse_address
from runners.matrix.model import Client
from runners.plan import planning
from runners.records.folder import write_run
from runners.records.run import FleetInfo, Run
from runners.run.job import Wishes, new_job
from speedup import entry
from speedup.measure.run import fleet_options
from speedup.parser import build_parser
from tests.support.small_run import _cell
from tests.unit.speedup.test_command_line import MATRIX, matrix_file, refused

__all__ = ["matrix_file"]


def ends_with_2(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return what a command that is bad input says, in one line and without a traceback."""
    assert entry.main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith("speedup: ")
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--bind", "192.0.2.1"], "--bind is for load from other machines; say how many there are: --expect-workers N"),
        (["--load", "fleet"], "give the number of client hosts and this host's address for them: --expect-workers N"),
        (["--expect-workers", "2"], "name the address of this machine that client machines connect to: --bind ADDRESS"),
        (["--load", "fleet", "--expect-workers", "2"], "that client machines connect to: --bind ADDRESS"),
        (["--expect-workers", "2", "--bind", "host:x"], "'host:x' is not an address; use HOST or HOST:PORT"),
        (["--expect-workers", "2", "--bind", ":5557"], "':5557' is not an address"),
        (["--expect-workers", "2", "--bind", "192.0.2.1", "--load", "wrk"], "fleet"),
        (["--expect-workers", "2", "--bind", "192.0.2.1", "--duet", "a", "a"], "duet"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_fleet_that_is_half_asked_for_is_bad_input(
    argv: list[str], said: str, matrix: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started, and the missing option is named."""
    assert said in ends_with_2(capsys, "run", "--matrix", str(matrix), *argv)
    assert not Path("results").exists()


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", ""])
def test_a_number_of_machines_is_a_number(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """From 1."""
    assert "is not a number of machines" in refused(capsys, "run", f"--expect-workers={count}")


@pytest.mark.parametrize("host", ["", "host:", "host:0", "host:65536", "host:-1", ":1", "host:1x", "host:1:2"])
def test_a_worker_wants_a_master_s_address(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it looks for anything else."""
    if host == "host:":
        assert parse_address(host) == ("host", PORT)
        return
    said = ends_with_2(capsys, "worker", "--master", host, "--token-file", str(tmp_path / "t"))
    assert f"'{host}' is not an address; use HOST or HOST:PORT" in said


def test_an_address_has_a_port_or_the_usual_one() -> None:
    """Of Locust."""
    assert parse_address("192.0.2.1") == ("192.0.2.1", 5557)
    assert parse_address("host.example:80") == ("host.example", 80)
    assert parse_address("host", 99) == ("host", 99)


def test_a_worker_without_a_token_is_told_where_it_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made by the first run."""
    said = ends_with_2(capsys, "worker", "--master", "127.0.0.1", "--token-file", str(tmp_path / "none"))
    assert "cannot read a token there; copy the one that `speedup run` created" in said


def test_a_run_of_a_fleet_is_resumed_with_as_many(
    matrix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its numbers would else be of two fleets."""
    plan = planning.make_plan(planning.Options(matrix=matrix, machine="local", load="fleet", clients=2))
    job = new_job(plan, tmp_path, Wishes("host"), FleetOptions(2, "192.0.2.1"))
    cells = (replace(_cell("a", "other", shared=False), load="fleet"),)
    write_run(job.folder, replace(job.run, cells=cells))
    assert job.run.fleet == FleetInfo(2, "192.0.2.1", PORT)
    said = ends_with_2(capsys, "run", "--resume", str(job.folder), "--expect-workers", "3")
    assert "this run was loaded by 2 client machines; resume it with as many" in said


def test_a_run_that_is_resumed_knows_where_its_clients_reach_it(matrix: Path) -> None:
    """Unless another address is given."""
    plan = planning.make_plan(planning.Options(matrix=matrix, machine="local", load="fleet", clients=2))
    run = Run("measured", "local", fleet=FleetInfo(2, "192.0.2.1", 6000))
    parser = build_parser()
    same = fleet_options(parser.parse_args(["run"]), plan, run)
    other = fleet_options(parser.parse_args(["run", "--bind", "192.0.2.9"]), plan, run)
    assert same is not None
    assert (same.clients, same.bind, same.port) == (2, "192.0.2.1", 6000)
    assert other is not None
    assert (other.bind, other.port) == ("192.0.2.9", PORT)


def test_the_matrix_may_name_the_clients(matrix: Path) -> None:
    """Then their number need not be said; the master then listens on loopback, where the tunnels end."""
    matrix.write_text(MATRIX + '[[client]]\nssh = "one"\n[[client]]\nssh = "two"\n', encoding="utf-8")
    plan = planning.make_plan(planning.Options(matrix=matrix, machine="local", load="fleet"))
    options = fleet_options(build_parser().parse_args(["run", "--bind", "192.0.2.1"]), plan)
    assert options is not None
    assert (options.clients, options.by_hand, options.master) == (2, 0, "127.0.0.1")
    assert replace(options, clients=3).master == "192.0.2.1"


def test_clients_of_people_reach_the_master_where_the_server_is() -> None:
    """Nowhere else is it bound to."""
    options = FleetOptions(2, "192.0.2.1", remotes=(Client(ssh="one"),))
    assert (options.by_hand, options.master) == (1, "192.0.2.1")


@pytest.mark.parametrize("command", ["run", "worker"])
def test_the_help_tells_of_the_fleet(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that this page's errors name."""
    with pytest.raises(SystemExit):
        entry.main([command, "--help"])
    said = capsys.readouterr().out
    wanted = {
        "run": ("--expect-workers", "--bind", "--workers-wait", "--token-file"),
        "worker": ("--master", "--target"),
    }
    assert all(re.search(rf"{option}\b", said) for option in wanted[command])


def test_bad_input_is_what_an_address_without_a_host_is() -> None:
    """So that it is shown once, at the edge."""
    with pytest.raises(BadInput):
        parse_address("")
