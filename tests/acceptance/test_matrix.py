"""The whole default selection of matrix.toml, run once as the README says."""

from __future__ import annotations

import pytest

from runners.records.run import RunFolder
from runners.stats.comparison import counting
from tests.integration.test_bench import PROOFS
from tests.support import ROOT
from tests.support.bench import Bench

LIMIT_S = 900

pytestmark = [
    pytest.mark.measures,
    pytest.mark.timeout(LIMIT_S + 60),
]  # whichever test comes first waits for all builds


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return one block of every cell."""
    bench = Bench(tmp_path_factory.mktemp("smoke"))
    bench.share_cache()
    ended = bench.run("run", "--matrix", str(ROOT / "matrix.toml"), "--preset", "smoke", timeout_s=LIMIT_S)
    assert ended.code in (0, 1), ended.err
    return bench.read()


def test_every_row_that_this_machine_can_measure_is_measured_and_every_count_holds(smoke: RunFolder) -> None:
    """Requests were answered, and generator, histogram and kernel agree on how many and over which connections."""
    measured = {trial.cell for trial in smoke.trials}
    assert measured >= {cell.id for cell in smoke.run.cells if cell.status == "planned"}
    assert {cell.server: cell.reason for cell in smoke.run.cells if cell.status == "failed"} == {}
    for trial in counting(smoke.trials):  # of several attempts, the best
        outcomes = {check.id: check.outcome for check in trial.checks}
        assert {outcomes.get(proof, "missing") for proof in PROOFS} <= {"pass", "unknown"}, (trial.cell, trial.reason)


def test_every_server_of_the_default_selection_passes_the_honesty_gates(smoke: RunFolder) -> None:
    """None of the document's rows, of nginx and of the rulers is kept from being timed."""
    assert {each.variant: [gate.id for gate in each.failed] for each in smoke.run.honesty if each.failed} == {}
    assert {"asynchttp", "asynchttp.boehm", "epoll_parallel", "rawsockets"} <= {e.variant for e in smoke.run.honesty}
