"""Locust: its command line for a job, and the result in its output; Locust itself is not needed here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runners.loads.base import LoadFailed, LoadJob
from runners.loads.by_name import LOADS
from runners.loads.locust import USERS, WINDOW, Locust
from runners.matrix.cells import Locustfile
from runners.plan.order import Offer, Slot
from runners.records.trial import Errors
from runners.trial.trial import _as_loaded
from tests.unit.runners.matrix.test_cells import cell

JOB = LoadJob("127.0.0.1", 18080, "/x", "non-persistent", 64, 1, 0.3, 1.0)
FACTS = {
    "requests": 100, "opened_us": 7_000_000, "duration_us": 1_000_000, "latency": {"1500": 60, "900": 38},
    "cpu_us": 990_000.5, "uncounted": 30, "late_s": 0.0,
    "errors": {"connect": 0, "read": 1, "write": 0, "status": 2, "timeout": 0},
}  # fmt: skip


def output(facts: object) -> str:
    """Return what Locust prints around the result."""
    return f"[2026-01-01] host/WARNING/x: y\nspeedup:result {json.dumps(facts)}\nType Name # reqs\n"


def test_the_result_is_read_from_its_line() -> None:
    """Counts as numbers, whatever Locust prints around it."""
    result = Locust().parse(output(FACTS), JOB)
    assert not result.counted_twice
    assert (result.requests, result.duration_us, result.uncounted) == (100, 1_000_000, 30)
    assert result.latency == {1500: 60, 900: 38}
    assert result.errors == Errors(read=1, status=2)
    assert result.bytes_read is None


def test_the_time_in_which_locust_counts_is_known() -> None:
    """It starts slowly: what the kernel counted before that is no part of the load."""
    assert Locust().parse(output(FACTS), JOB).window_us == (7_000_000, 8_000_000)


def test_output_without_a_result_is_refused() -> None:
    """As when Locust does not start."""
    with pytest.raises(LoadFailed, match="Locust printed no result"):
        Locust().parse("ModuleNotFoundError: No module named 'locust'\n", JOB)


@pytest.mark.parametrize(
    "facts",
    [{}, [], None, {**FACTS, "errors": {"odd": 1}}, {**FACTS, "latency": {"x": 1}}, {**FACTS, "errors": 3}],
    ids=str,
)
def test_a_result_of_another_shape_is_refused(facts: object) -> None:
    """Another version of the locustfile may have printed it."""
    with pytest.raises(LoadFailed, match="Locust printed a torn result"):
        Locust().parse(output(facts), JOB)


def test_a_torn_result_is_refused() -> None:
    """As after a kill in the middle of the line."""
    with pytest.raises(LoadFailed, match="torn result"):
        Locust().parse(output(FACTS)[:90], JOB)


def test_the_command_says_all_that_is_asked() -> None:
    """Locust runs longer than both windows together, without a web page."""
    (phase,) = Locust().phases(JOB)
    argv = phase.argv
    options = {argv[index]: argv[index + 1] for index in range(len(argv) - 1) if argv[index].startswith("-")}
    assert "--headless" in argv
    assert (options["--users"], options["--host"]) == ("64", "http://127.0.0.1:18080")
    assert (options["--path"], options["--mode"]) == ("/x", "non-persistent")
    assert (options["--warmup-s"], options["--duration-s"]) == ("0.3", "1")
    assert float(options["--run-time"].removesuffix("s")) > 1.3
    assert options["-f"] == f"{WINDOW.name},{USERS.name}"
    assert phase.cwd is not None
    assert all((phase.cwd / name).is_file() for name in options["-f"].split(","))
    assert phase.limit_s > 1.3


def test_a_person_s_own_users_take_the_place_of_ours() -> None:
    """What counts stays the same; it runs in the folder of their file, beside which their data may lie."""
    own = Locustfile("/home/me/shop/users.py", "0" * 64)
    (phase,) = Locust().phases(replace(JOB, locustfile=own))
    assert phase.argv[phase.argv.index("-f") + 1] == f"{WINDOW},users.py"
    assert phase.cwd == Path("/home/me/shop")
    assert WINDOW.is_absolute()


def test_a_rate_is_offered_by_a_generator_that_can_and_not_by_a_person_s_own_users() -> None:
    """So its checks are not those of users who ask what they want."""
    alone = replace(cell(), load=replace(cell().load, kind="locust", locustfile=Locustfile("users.py", "0" * 64)))
    (closed,) = _as_loaded([alone], Slot((alone.id,), "a", 0, 0, 1))
    (paced,) = _as_loaded([alone], Slot((alone.id,), "a", 0, 0, 1, Offer("paced", 100.0, 200.0, 3.0)))
    assert closed.load == alone.load
    assert (paced.load.kind, paced.load.duration_s, paced.load.locustfile) == ("h2load", 3.0, None)


def test_longer_jobs_run_longer() -> None:
    """The limit grows as well."""
    short, long = Locust().phases(JOB)[0], Locust().phases(replace(JOB, duration_s=60.0))[0]
    assert long.limit_s - short.limit_s == pytest.approx(59)


def test_locust_is_one_thread_whatever_is_wanted() -> None:
    """Its users are greenlets."""
    assert Locust().threads(64, 8, 4) == 1


def test_load_generators_are_found_by_their_own_names() -> None:
    """The names of the matrix and of the command line."""
    assert {name: load.kind for name, load in LOADS.items()} == {name: name for name in LOADS}
    assert {"wrk", "locust"} <= set(LOADS)
