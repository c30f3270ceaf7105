"""What a bisection looks for, and when a commit is resolved, from made-up runs whose truth is known."""

from __future__ import annotations

import pytest

from reports.changes.change import Change, change_of
from reports.changes.culprit import Aim, Outcome, aim_of, is_look, level_of, line_of, outcome_of, together
from reports.changes.slowdowns import Bound, slowdown_of
from tests.support.changes import Truth, comparison


def change(**truth: float) -> Change:
    """Return the change of a made-up run with both modes."""
    return change_of([comparison(Truth(modes=("persistent", "non-persistent"), **truth))])  # type: ignore[arg-type]


def aim(figure: str = "cpu", bound: Bound | None = None, **truth: float) -> Aim:
    """Return what is looked for; it must be found."""
    found = aim_of(change(**truth), figure, bound)
    assert found is not None
    return found


def test_without_a_bound_a_commit_is_bad_from_half_of_the_slowdown_on() -> None:
    """That is the farthest from both."""
    found = aim(cpu=1.44)
    assert found.figure == "cpu"
    assert found.limit == pytest.approx(1.2, abs=0.01)


def test_a_bound_is_the_limit() -> None:
    """Whatever the whole slowdown is."""
    assert aim(bound=Bound("cpu", 0.1), cpu=1.44).limit == pytest.approx(1.1)


def test_a_rate_that_falls_is_a_slowdown() -> None:
    """And no other figure is looked at then."""
    found = aim("rate", rate=0.5, solo_noise=0.001)
    assert found.figure == "rate"
    assert found.whole.value == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("cpu", [1.0, 0.8])
def test_what_is_not_slower_has_no_culprit(cpu: float) -> None:
    """Neither without nor with a bound."""
    assert aim_of(change(cpu=cpu), "cpu", None) is None
    assert aim_of(change(cpu=1.05), "cpu", Bound("cpu", 0.1)) is None


@pytest.mark.parametrize(("cpu", "outcome"), [(1.44, "slower"), (1.0, "within"), (1.2, "not resolved")])
def test_a_commit_is_slower_or_not_if_its_whole_interval_says_so(cpu: float, outcome: str) -> None:
    """On the edge, nobody knows."""
    found = aim(cpu=1.44)
    slowdown = slowdown_of(line_of(change(cpu=cpu), found), level_of(1))
    assert outcome_of(slowdown, found.limit) == outcome
    assert outcome_of(None, found.limit) == "not resolved"


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["slower", "slower"], "slower"),
        (["slower", "within"], "not resolved"),
        (["within"], "within"),
        (["slower", "not resolved"], "not resolved"),
    ],
)
def test_a_slowdown_must_show_in_every_build(outcomes: list[Outcome], said: str) -> None:
    """Memory layout alone moves servers by percents."""
    assert together(outcomes) == said


def test_it_is_looked_only_now_and_then() -> None:
    """Each look costs some certainty."""
    assert [blocks for blocks in range(60) if is_look(blocks)] == [12, 20, 40]
