"""How chaos counts: a failure shows in its kind and in the sum, and the bound is the exact one."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.chaos.tally import Outcome, as_json, bound, conclusion, table

OUTCOMES = [
    Outcome("SIGKILL to a run", "load"),
    Outcome("SIGKILL to a run", "gates", lost=2, left=("process 7",)),
    Outcome("full disk", "load", misnamed=("a traceback", "no resume line")),
]


def test_a_table_counts_each_kind_and_all() -> None:
    """What is named wrongly in two ways is one fault."""
    *_, kills, disks, every = [line.split() for line in table(OUTCOMES).splitlines()]
    assert kills[-6:] == ["2", "1", "2", "1", "0", "97.5%"]
    assert disks[-6:] == ["1", "0", "0", "0", "1", "100.0%"]
    assert every[-6:] == ["3", "1", "2", "1", "1", "98.3%"]


@pytest.mark.parametrize(("failed", "injected"), [(0, 200), (0, 1), (1, 60), (7, 500), (3, 3)])
def test_the_bound_is_that_of_clopper_and_pearson(failed: int, injected: int) -> None:
    """Compared with scipy; all that failed leaves every rate possible."""
    exact = stats.beta.ppf(0.95, failed + 1, injected - failed) if failed < injected else 1.0
    assert bound(failed, injected) == pytest.approx(exact, abs=1e-9)


def test_kills_and_other_faults_are_concluded_apart() -> None:
    """One failed of each; the phases in which runs were killed are counted."""
    assert [line.partition(";")[0] for line in conclusion(OUTCOMES).splitlines()] == [
        "kills: 1 of 2 failed",
        "other faults: 1 of 1 failed",
        "kills by phase: load 1, gates 1",
    ]


def test_what_cannot_be_injected_is_said_and_not_counted() -> None:
    """A machine may let nobody change its settings."""
    impossible = Outcome("kills of a tuned run", "", impossible="only root may change settings")
    assert table([*OUTCOMES, impossible]) == table(OUTCOMES)
    assert conclusion([*OUTCOMES, impossible]).splitlines()[-1] == (
        "not possible here: kills of a tuned run: only root may change settings"
    )
    assert as_json([*OUTCOMES, impossible], 1, 1.0)["faults"] == len(OUTCOMES)
