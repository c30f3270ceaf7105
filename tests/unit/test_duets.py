"""A duet's figure: the ratio of two costs per request in the same moments."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from runners.duets import log_cost_ratio, window_log_ratios, with_cost_ratios
from runners.records import Errors, Evidence, Glances, Series, Trial


def trial(
    cost_us: float, noise: list[float], per_window: int = 5000, segments: int = 2, network: str = "namespace"
) -> Trial:
    """Return one side that used `cost_us` per request, stretched by the machine's noise in each window."""
    spent = [0.0]
    for stretch in noise:
        spent.append(spent[-1] + per_window * cost_us * stretch)
    count = len(spent)
    served = per_window * (count - 1)
    evidence = Evidence(
        mode="persistent", load="wrk", network=network, duet=True, connections=8, server_threads=1, asked_us=1_000_000,
        duration_us=1_000_000, watched_us=1_100_000, requests=served, served=served, errors=Errors(), shared_cpus=False,
        tcp={"TCPOrigDataSent": served * segments},
        series=Series(
            at_us=tuple(range(0, 100_000 * count, 100_000)),
            segments=tuple(per_window * segments * number for number in range(count)),
            server_run_us=tuple(spent),
        ),
    )  # fmt: skip
    return Trial(
        cell="a", server="a", variant=None, threads=1, connections=8, mode="persistent", machine="local", verdict="ok",
        server_cpu_us_per_request=spent[-1] / served, evidence=evidence,
    )  # fmt: skip


def with_glances(side: Trial, cost_us: float) -> Trial:
    """Return a side that was also looked at twice in each of its windows; it answered evenly."""
    assert side.evidence is not None
    series, count = side.evidence.series, 2 * (len(side.evidence.series.at_us) - 1)
    segments = [value or 0 for value in series.segments]
    each = (segments[1] - segments[0]) / 2
    glances = Glances(
        at_us=tuple(50_000 * number for number in range(count + 1)),
        segments=tuple(round(each * number) for number in range(count + 1)),
        server_run_us=tuple(each / 2 * cost_us * number for number in range(count + 1)),
    )
    return replace(side, evidence=replace(side.evidence, glances=glances))


def noise(seed: int, count: int = 10) -> list[float]:
    """Return by how much the machine slows each window."""
    chance = random.Random(seed)  # noqa: S311 - noise, not a secret
    return [chance.lognormvariate(0, 0.3) for _ in range(count)]


def test_what_disturbs_both_sides_cancels() -> None:
    """The machine may be a third slower in one window and faster in the next: the ratio stays exact."""
    common = noise(1)
    assert log_cost_ratio(trial(6.06, common), trial(6.0, common)) == pytest.approx(math.log(1.01))


def test_a_disturbance_of_one_side_counts_only_for_its_windows() -> None:
    """One window in which only one server suffered does not move the figure much, as the plain ratio would."""
    common = noise(2)
    hurt = [stretch * (3.0 if number == 4 else 1.0) for number, stretch in enumerate(common)]
    mine, theirs = trial(6.0, hurt), trial(6.0, common)
    plain = math.log((mine.server_cpu_us_per_request or 0) / (theirs.server_cpu_us_per_request or 1))
    found = log_cost_ratio(mine, theirs)
    assert found is not None
    assert abs(found) < 0.001 < plain


def test_windows_between_glances_are_taken_where_they_hold_enough() -> None:
    """They are finer than those between samples; a server that answers too little in them has those of its samples."""
    common = noise(7, 40)
    many = with_glances(trial(6.06, common), 6.06), with_glances(trial(6.0, common), 6.0)
    evidence = [side.evidence for side in many]
    assert len(window_log_ratios(*evidence)) == 80  # type: ignore[arg-type]
    assert log_cost_ratio(*many) == pytest.approx(math.log(1.01))
    few = with_glances(trial(6.06, common, per_window=60), 6.06), with_glances(trial(6.0, common, per_window=60), 6.0)
    assert len(window_log_ratios(*(side.evidence for side in few))) == 40  # type: ignore[arg-type]


def test_segments_per_request_need_not_be_equal() -> None:
    """A server that sends its answer in two segments is not thought to answer more often."""
    common = noise(3)
    found = log_cost_ratio(trial(6.0, common, segments=3), trial(6.0, common, segments=2))
    assert found == pytest.approx(0.0, abs=1e-9)


def test_the_two_sides_of_a_duet_carry_opposite_figures() -> None:
    """Whichever is asked, the pair says the same."""
    first, second = with_cost_ratios(trial(6.6, noise(4)), trial(6.0, noise(4)))
    assert first.cost_log_ratio == pytest.approx(-(second.cost_log_ratio or 0))
    assert first.cost_log_ratio == pytest.approx(math.log(1.1))


def test_too_few_requests_in_a_window_leave_the_whole_trial() -> None:
    """Where a window holds a handful of requests, its count is noise; the trial's own totals are used."""
    slow = trial(600.0, [1.0] * 10, per_window=20)
    assert window_log_ratios(slow.evidence, slow.evidence) == []  # type: ignore[arg-type]
    assert log_cost_ratio(slow, trial(500.0, [1.0] * 10, per_window=20)) == pytest.approx(math.log(1.2))


def test_in_a_shared_network_the_kernels_counts_belong_to_both() -> None:
    """On the host's network the windows cannot be told apart, so the totals are used."""
    mine, theirs = trial(6.0, noise(5), network="host"), trial(5.0, noise(6), network="host")
    assert window_log_ratios(mine.evidence, theirs.evidence) == []  # type: ignore[arg-type]
    assert log_cost_ratio(mine, theirs) is not None


def test_without_evidence_there_is_no_figure() -> None:
    """Unknown stays unknown."""
    bare = replace(trial(6.0, [1.0]), evidence=None)
    assert with_cost_ratios(bare, bare)[0].cost_log_ratio is None
