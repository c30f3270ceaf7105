"""Progress: one line for each trial in logs, a bar on terminals, and an honest time left."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from runners.plan import pace as pace_module
from runners.plan.order import Slot
from runners.plan.pace import Pace
from runners.plan.scheduling import Blocks, Bounds
from runners.records.run import FamilyInfo
from runners.records.trial import Check, Trial
from runners.run.reporter import Reporter
from speedup import messages, progress
from speedup.progress import LiveReporter, PlainReporter, outcome, reporter
from tests.unit.speedup.conftest import Terminal

CELL = "epoll/t1/c64/persistent#01234567"
FAMILY = "local/t1/c64/persistent/wrk"


def slot(*cells: str, expected_s: float = 2.0) -> Slot:
    """Return a slot."""
    return Slot(cells or (CELL,), FAMILY, 0, 0, 0, expected_s=expected_s)


def trial(verdict: str = "ok", reason: str | None = None, **fields: object) -> Trial:
    """Return a trial."""
    return Trial(
        cell=CELL, server="epoll", variant=None, threads=1, connections=64, mode="persistent", machine="local",
        verdict=verdict, reason=reason, family=FAMILY, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def pace(blocks: int = 10, block_s: float = 2.0, *, recorded: int = 0, budget_s: float | None = None) -> Pace:
    """Return the pace of a run of one cell in so many blocks, some of them recorded already."""
    family = FamilyInfo(FAMILY, "solo", 1, 64, "persistent", CELL, (((CELL,),),) * blocks)
    stage = Blocks((family,), Bounds(blocks, None, budget_s), 1, {FAMILY: block_s})
    return Pace((stage,), done(recorded))


def done(blocks: int) -> list[Trial]:
    """Return the trials of so many blocks, each with two seconds of load."""
    return [trial(block=block, duration_us=2_000_000) for block in range(blocks)]


@dataclass
class FakeClock:
    """A clock that goes when it is told to."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture(name="clock")
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Give the module a clock of ours."""
    clock = FakeClock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


def run_one(talk: Reporter) -> None:
    """Report a run of one trial."""
    begun = pace(1)
    talk.begin(begun)
    talk.tick()
    begun.add(slot(), done(1))
    talk.trial(slot(), [trial(requests_per_s=1234.0)])
    talk.end()


def test_a_good_trial_is_told_by_its_rate_and_cost() -> None:
    """CPU time only where it is known."""
    assert outcome([trial(requests_per_s=88_400.4, server_cpu_us_per_request=7.514)]).split() == [
        "88,400", "req/s", "7.51", "us", "CPU", "ok",
    ]  # fmt: skip
    assert "CPU" not in outcome([trial(requests_per_s=88_400.4)])


def test_a_duet_is_told_by_both_costs_and_no_rate() -> None:
    """Rates of a duet mean nothing."""
    pair = [trial(requests_per_s=9.0, server_cpu_us_per_request=cost) for cost in (7.514, 8.25)]
    assert outcome(pair).split() == ["7.51", "and", "8.25", "us", "CPU", "ok"]


def test_a_trial_in_which_answers_were_read_tells_how_many_were_right() -> None:
    """Its rate does not count."""
    read = replace(trial(), design="checked", checks=(Check("V24", "r", "pass", "9 answers were right"),))
    assert outcome([read]) == "9 answers were right"


def test_a_bad_trial_is_told_by_its_verdict_and_reason() -> None:
    """Never by a number."""
    bad = trial("invalid", "V1 no errors: read 3", requests_per_s=9.0)
    assert outcome([bad]) == "invalid: V1 no errors: read 3"
    assert outcome([trial(), trial("failed", "the server died (SIGSEGV)")]) == "failed: the server died (SIGSEGV)"


def test_a_log_gets_one_plain_line_for_each_trial(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """With its number, the cell, what it gave and the time left."""
    talk, begun = PlainReporter(), pace(10)
    talk.begin(begun)
    for count in (1, 2):
        clock.now += 3
        talk.tick()
        begun.add(slot(), done(count))
        talk.trial(slot(), [trial(requests_per_s=1234.0)])
    talk.end()
    first, second = caplog.messages
    assert re.fullmatch(r"\[ 1/10\] epoll/t1/c64/persistent +1,234 req/s  ok  \(27s left\)", first)
    assert second.startswith("[ 2/10] ")


def test_a_duet_names_both_of_its_cells(caplog: pytest.LogCaptureFixture) -> None:
    """Without their hashes."""
    talk = PlainReporter()
    talk.begin(pace())
    talk.trial(slot("a/t1#1", "b/t1#2"), [trial(), trial()])
    assert " a/t1 with b/t1 " in caplog.text


def test_the_time_left_follows_the_pace_so_far(clock: FakeClock) -> None:
    """Twice as slow as planned means twice the planned rest."""
    begun = pace(4, 10.0)
    assert begun.left_s() == pytest.approx(40)
    clock.now += 20
    begun.add(slot(expected_s=10), done(1))
    assert begun.left_s() == pytest.approx(60)
    clock.now += 5
    begun.add(slot(expected_s=10), done(2))
    assert begun.left_s() == pytest.approx(25)


def test_the_time_left_is_never_negative(clock: FakeClock) -> None:
    """Even if blocks were repeated beyond the plan; the total grows with them."""
    begun = pace(1, 10.0)
    for _ in range(2):
        clock.now += 10
        begun.add(slot(), done(1))
    assert begun.left_s() == 0
    assert (begun.done, begun.total) == (2, 2)


def test_what_is_recorded_already_is_done(clock: FakeClock) -> None:
    """A resumed run begins where it stopped; half of a duet is no trial of its own."""
    assert clock.now
    begun = pace(10, 2.0, recorded=4)
    assert (begun.done, begun.total) == (4, 10)
    assert begun.left_s() == pytest.approx(12)


def test_a_time_budget_bounds_the_time_left(clock: FakeClock) -> None:
    """Whatever the plan would still hold; it counts load, so a slow machine takes longer."""
    begun = pace(10, 2.0, budget_s=5.0)
    assert begun.left_s() == pytest.approx(5)
    clock.now += 3
    begun.add(slot(), done(1))
    assert begun.left_s() == pytest.approx(3 * 1.5)


def test_the_time_left_counts_repeats_and_the_stages_to_come(clock: FakeClock) -> None:
    """A block that is spoilt will be repeated, and more will be: the counter never runs past its end."""
    assert clock.now
    family = FamilyInfo(FAMILY, "solo", 1, 64, "persistent", CELL, (((CELL,),),) * 10)
    stage = Blocks((family,), Bounds(10, None, None), 1, {FAMILY: 2.0})
    begun = Pace((stage, stage), [])
    assert begun.total == 20
    assert begun.left_s() == pytest.approx(40)
    spoilt = [trial("invalid", block=0), *(trial(block=block) for block in range(1, 10))]
    begun.look(spoilt)
    assert begun.left.items == 10 + 1
    begun.next_stage(spoilt)
    assert begun.left.items == 1


def test_what_is_no_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where colour is forced, as on build servers."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(reporter(), PlainReporter)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(reporter(), PlainReporter)


def test_a_terminal_gets_a_bar(terminal: Terminal) -> None:
    """With the number of trials and the time left, and it is taken away at the end."""
    with terminal.as_stderr():
        talk = reporter()
        assert isinstance(talk, LiveReporter)
        run_one(talk)
    shown = terminal.shown()
    assert "1/1" in shown
    assert "left" in shown


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_dumb_terminal_gets_plain_lines(kind: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot move its cursor."""
    monkeypatch.setenv("TERM", kind)
    with terminal.as_stderr():
        assert isinstance(reporter(), PlainReporter)


def test_no_color_means_no_colour(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on the screen sets a colour."""
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal.as_stderr():
        run_one(reporter())
    shown = terminal.shown()
    assert "1/1" in shown
    assert not re.search(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-7])m", shown)


def test_a_bad_trial_stays_on_the_terminal(terminal: Terminal) -> None:
    """Its line is printed above the bar; markup in it is text."""
    with terminal.as_stderr():
        messages.configure()
        talk = reporter()
        talk.begin(pace(2))
        talk.trial(slot(), [trial("failed", "its last words: [red] oh")])
        talk.end()
    assert "epoll/t1/c64/persistent failed: its last words: [red] oh\r\n" in terminal.shown()


def test_a_long_line_does_not_crowd_out_the_count(terminal: Terminal) -> None:
    """The reason is cut, not how far the run is."""
    with terminal.as_stderr():
        talk = LiveReporter(Console(stderr=True, width=80))
        talk.begin(pace(10))
        talk.trial(slot(), [trial("invalid", "V15 calm machine: " + "other programs took a share of the CPUs " * 4)])
        talk.end()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown())
    bars = [line.rstrip() for line in re.split(r"[\r\n]+", plain) if " left " in line]
    assert bars[-1].startswith("0/10 ")
    assert bars[-1].endswith("...")
    assert max(map(len, bars)) <= 80
