"""From a run to tables: rows in order, why a row has no number, ratios and what may be said from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.forms.markdown import render_markdown
from reports.forms.page.html import render_report
from reports.forms.text import render_text
from reports.tables.tables import TableModel, build_tables
from reports.view.rows import HeadingRow, Row
from reports.view.view import view_run
from runners.records.run import Run, RunFolder
from runners.records.trial import Check, Trial
from runners.stats.statistics import Judgement
from tests.support.example_run import example_run

MATRIX = """
[suite]
title = "Two servers"
[preset.quick]
warmup = "100ms"
duration = "1s"
[machine.local]
threads = [1]
connections = [64]
[server.slow]
run = ["slow"]
[server.fast]
run = ["fast"]
class = "stripped"
[server.gone]
unavailable = "its source\\nis lost"
[[table]]
title = "Speed"
mode = "persistent"
rows = ["slow", { heading = "others" }, "fast", "gone@4", "fast@4"]
"""


def folder_of(run: Run, trials: tuple[Trial, ...]) -> RunFolder:
    """Return a run folder that lies nowhere."""
    return RunFolder(Path("nowhere"), run, trials)


def example_tables(blocks: int = 6) -> tuple[TableModel, ...]:
    """Return the tables of the synthetic run."""
    run, trials, _ = example_run(blocks)
    return build_tables(view_run(folder_of(run, trials)))


def trial(server: str, block: int | None, rate: float, **changes: object) -> Trial:
    """Return a trial of a cell that no plan holds."""
    made = Trial(
        cell=f"{server}/t1/c64/persistent",
        server=server,
        variant=None,
        threads=1,
        connections=64,
        mode="persistent",
        machine="local",
        verdict="ok",
        block=block,
        requests_per_s=rate,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def small_table(*trials: Trial, matrix: str = MATRIX) -> TableModel:
    """Return the one table of a small matrix with these trials."""
    run = Run(kind="measured", machine="local", matrix=matrix)
    return build_tables(view_run(folder_of(run, trials)))[0]


def row(table: TableModel, label: str, note: str | None = None) -> Row:
    """Return the row of a label, and of a note where several have it."""
    return next(row for row in table.measurable if row.label == label and note in (None, row.note))


FAST = "fast/t1/c64/persistent"  # a cell's id
RATES = (1000.0, 1010.0, 990.0, 1005.0, 995.0, 1000.0)
TWICE = [trial(name, block, rate * times) for name, times in (("slow", 1), ("fast", 2))
         for block, rate in enumerate(RATES)]  # fmt: skip


def test_tables_and_rows_stand_in_the_matrixs_order() -> None:
    """The report mirrors the document."""
    tables = example_tables()

    assert [table.id for table in tables] == [
        "table-standard-library", "table-persistent", "table-comparison", "table-high-performance",
        "table-non-persistent", "other-non-persistent",
    ]  # fmt: skip
    assert [entry.title for entry in tables[4].rows if isinstance(entry, HeadingRow)] == [
        "sync in nim",
        "async in nim",
        "for comparison",
    ]


def test_a_row_that_was_not_measured_says_why_in_one_line() -> None:
    """Unavailable, failed, beyond the machine's profile, or unknown."""
    standard, persistent = example_tables()[:2]

    boehm = row(standard, "with --gc:boehm (single threaded)")
    assert (boehm.status, boehm.reason) == ("failed", "build failed: could not load: libgc.so")
    three = row(standard, "3 threads")
    assert (three.status, three.reason) == (
        "not run",
        "3 threads are not in this machine's profile (threads 1, 2)",
    )
    jester = row(persistent, "jester")
    assert jester.status == "unavailable"
    small = small_table(*TWICE)
    assert row(small, "gone").reason == "its source is lost"


def test_an_excluded_mode_is_not_selected_rather_than_missing() -> None:
    """A matrix whose modes lack the table's says so."""
    matrix = MATRIX.replace('title = "Two servers"', 'title = "Two servers"\nmodes = ["non-persistent"]')

    assert row(small_table(matrix=matrix), "slow").reason == ("this matrix does not measure persistent connections")
    assert row(small_table(), "slow").reason == "not selected for this run"


def test_a_table_of_a_group_is_left_out_where_only_its_company_was_measured() -> None:
    """What it only compares with is then shown among the other cells, not lost."""
    text = MATRIX.replace('run = ["fast"]', 'run = ["fast"]\ngroup = "field"')
    own, others = text.replace('mode = "pers', 'group = "field"\nmode = "pers'), TWICE[:6]
    run = Run(kind="measured", machine="local", matrix=own)

    assert [table.title for table in build_tables(view_run(folder_of(run, tuple(others))))] == [
        "Other cells, persistent connections"
    ]


def test_ratios_are_to_the_first_measured_row_and_paired_by_block() -> None:
    """Noise that meets both rows alike cancels: the ratio is exactly two."""
    fast = row(small_table(*TWICE), "fast")

    assert fast.comparison is not None
    assert fast.comparison.ratio.value == pytest.approx(2)
    interval = fast.comparison.ratio.interval
    assert interval is not None
    assert interval.high - interval.low < 1e-9
    assert small_table(*TWICE).decisions[FAST].answer == "faster"


def test_blocks_that_only_one_row_has_are_left_out_of_the_ratio() -> None:
    """Five common blocks give no interval, and so no verdict but how many more are needed."""
    fast = row(small_table(*TWICE[:-1]), "fast")

    assert fast.comparison is not None
    assert fast.comparison.ratio.interval is None
    assert small_table(*TWICE[:-1]).decisions[FAST].judgement == Judgement("not resolved", 1)


def test_without_blocks_in_common_the_ratio_is_that_of_the_medians() -> None:
    """It has no interval."""
    fast = row(small_table(trial("slow", None, 100), trial("fast", None, 300)), "fast")

    assert fast.comparison is not None
    assert fast.comparison.ratio.value == pytest.approx(3)
    assert fast.comparison.ratio.interval is None


def test_invalid_trials_do_not_count_and_are_told() -> None:
    """Reasons that are alike are counted, not repeated."""
    check = Check("V1", "no errors", "fail", "3 timeouts")
    bad = [
        dataclasses.replace(one, verdict="invalid", reason=f"V1: {number}", checks=(check,))
        for number, one in enumerate(TWICE[6:8])
    ]
    table = small_table(*TWICE[:6], *bad, *TWICE[8:])

    fast = row(table, "fast")
    assert fast.rps is not None
    assert fast.rps.count == 4
    assert fast.trials_note == "4 of 6 trials valid: V1 no errors (2 times)"


def test_a_row_without_a_valid_trial_is_invalid_or_failed() -> None:
    """No number is shown for it."""
    failed = small_table(trial("slow", 0, 1, verdict="failed", reason="exit\n1", requests_per_s=None))

    assert row(failed, "slow").status == "failed"
    assert row(failed, "slow").reason == "exit 1"
    assert row(failed, "slow").rps is None
    assert failed.headline == "Nothing was measured in this run."


def test_a_trial_that_was_cut_short_vanishes_once_measured_again() -> None:
    """A resumed run must not carry its interruption for ever."""
    cut = trial("slow", 0, 1, verdict="not run", reason="interrupted", requests_per_s=None)

    assert row(small_table(cut), "slow").status == "not run"
    assert row(small_table(cut, *TWICE), "slow").trials_note == ""


def test_published_numbers_stand_beside_every_row() -> None:
    """Matched by server, variant, threads and mode, with the ratio to the published baseline."""
    standard = example_tables()[0]

    first, last = standard.measurable[0], standard.measurable[-1]
    assert (first.published, last.published) == (13746, 78510)
    assert last.published_ratio == pytest.approx(78510 / 13746)
    assert standard.published is not None
    assert standard.published.name == "Core2Quad Q9300, 2015"


def test_rows_that_share_cpus_are_compared_only_among_themselves() -> None:
    """A ratio between different CPU layouts gives no verdict."""
    standard = example_tables()[0]

    two = row(standard, "2 threads")
    assert two.tags == ("shared",)
    decision = standard.decision(two)
    assert decision is not None
    assert decision.answer is None
    assert decision.unsaid == (
        "this machine cannot show it",
        "with 2 threads, server and load generator share CPUs",
    )


def test_two_rows_limited_by_the_load_generator_are_not_ranked() -> None:
    """They would look alike, and only because of the client; where CPU times are known, those decide."""
    limited = [dataclasses.replace(one, bound="client") for one in TWICE]
    costs = {"slow": 20.0, "fast": 10.0}
    cheaper = [dataclasses.replace(one, server_cpu_us_per_request=costs[one.server]) for one in limited]

    unknown, known = (small_table(*trials).decisions[FAST] for trials in (limited, cheaper))
    assert (unknown.answer, unknown.why) == (
        None,
        "the load generator was the limit, and CPU times are not known",
    )
    assert (known.answer, known.by) == ("cheaper", "CPU per request, measured alone")


def test_several_connection_counts_are_rows_of_their_own_with_bases_of_their_own() -> None:
    """The count is in the note, and 10 connections are not compared with 64."""
    few = [dataclasses.replace(one, cell=f"{one.server}-few", connections=10) for one in TWICE]
    table = small_table(*TWICE, *few)

    assert [(one.label, one.note) for one in table.measured] == [
        ("slow", "64 connections"),
        ("slow", "10 connections"),
        ("fast", "64 connections"),
        ("fast", "10 connections"),
    ]
    assert [one.baseline for one in table.measured] == [True, True, False, False]


def test_cells_in_no_table_come_last() -> None:
    """One table for each mode."""
    other = example_tables()[-1]

    assert other.other
    assert [(one.label, one.note) for one in other.measurable] == [("asynchttp", "")]


def test_the_command_line_is_listed_once_for_each_cpu_layout() -> None:
    """From the plan; the trials' own where the plan has none."""
    lines = example_tables()[0].load_lines

    assert [(line.rows, line.shared) for line in lines] == [(2, False), (2, True)]
    assert lines[0].command == "wrk -c 64 -d 1 -t 1 --timeout 3s http://127.0.0.1:8080/"


def test_headlines_are_careful() -> None:
    """They name the interval and by what they rank, and rank nothing across CPU layouts."""
    headlines = {table.id: table.headline for table in example_tables()}

    assert headlines["table-standard-library"] == (
        "asynchttp with --gc:markandsweep needs 15.9 % less CPU per request than asynchttp, initial state (96.9 % CI"
        " 14.7\u201316.8 %); by CPU per request in duets. Over thread counts (2 rows), this machine cannot show it:"
        " with 2 threads, server and load generator share CPUs."
    )
    assert "measured alone, because the load generator was the limit" in headlines["table-comparison"]
    assert headlines["table-high-performance"] == (
        "Nothing to rank: this machine cannot show it: with 2 threads, server and load generator share CPUs; a request"
        " costs epoll (2 thr.) 9.5 µs of server CPU, epoll 10.9 µs."
    )
    assert "no interval: too few blocks" in example_tables(blocks=2)[0].headline


def test_a_table_says_what_decides_and_what_it_could_resolve() -> None:
    """By what, for how many rows, at which level, beyond which margin; or how many blocks that needs."""
    standard, _, comparison = example_tables()[:3]

    assert standard.level_note == (
        "Decided by CPU per request in duets (1 row), at 95 %, beyond ±0.2 %: could resolve 1.4 %."
    )
    assert comparison.level_note == (
        "Decided by CPU per request, measured alone (2 rows): no verdict with fewer than 7 blocks in common."
    )


def test_a_table_about_latency_has_the_rows_rates_at_full_load() -> None:
    """Its rates are offered over persistent connections, whose cells are its rows."""
    table = small_table(*TWICE, matrix=MATRIX.replace('mode = "persistent"', 'mode = "latency"'))

    assert table.mode == "persistent"
    assert [one.label for one in table.measured] == ["slow", "fast"]


def test_a_matrix_that_cannot_be_read_leaves_the_other_cells() -> None:
    """Whatever was recorded is shown; a matrix with a row that names no server cannot be read either."""
    unknown = MATRIX.replace('"slow", {', '"nobody", {')
    assert view_run(folder_of(Run(kind="measured", machine="local", matrix=unknown), ())).matrix is None
    run = Run(kind="measured", machine="local", matrix="not [ toml")
    tables = build_tables(view_run(folder_of(run, tuple(TWICE))))

    assert [table.title for table in tables] == ["Other cells, persistent connections"]
    assert len(tables[0].measured) == 2


def test_the_cost_of_a_request_is_compared_too() -> None:
    """The server's CPU time, block by block; a block that lacks it is left out."""
    costs = [
        dataclasses.replace(one, server_cpu_us_per_request=None if one.block == 5 else 10.0 * (1 + (number > 5)))
        for number, one in enumerate(TWICE)
    ]
    fast = row(small_table(*costs), "fast")

    assert fast.costs.server is not None
    assert fast.costs.server.value == 20
    assert fast.comparison is not None
    assert fast.comparison.cost is not None
    assert fast.comparison.cost.value == pytest.approx(2)
    assert fast.comparison.cost.count == 5
    without = row(small_table(*TWICE), "fast").comparison
    assert without is not None
    assert without.cost is None


@pytest.mark.parametrize(
    ("wobble", "words"), [(0.09, "about 110 more blocks would resolve it"), (0.3, "too noisy: over 500 more blocks")]
)
def test_what_is_not_resolved_says_how_much_more_it_needs(wobble: float, words: str) -> None:
    """Up to what somebody might measure."""
    equal = [
        dataclasses.replace(one, requests_per_s=RATES[one.block or 0] * (1 + wobble) ** (-1) ** (one.block or 0))
        for one in TWICE[6:]
    ]

    assert small_table(*TWICE[:6], *equal).decisions[FAST].needs == words


def test_a_headline_never_names_a_winner_that_is_not_resolved() -> None:
    """Two like servers cannot be told apart; a baseline that leads is compared with the next."""
    noise = [0.97, 1.04, 0.96, 1.05, 0.99, 1.02]
    like = [dataclasses.replace(one, requests_per_s=RATES[one.block or 0] * noise[one.block or 0]) for one in TWICE[6:]]
    slower = [dataclasses.replace(one, requests_per_s=RATES[one.block or 0] / 2) for one in TWICE[6:]]

    assert small_table(*TWICE[:6], *like).headline.startswith("No measurable difference between fast and slow (ratio ")
    assert small_table(*TWICE[:6], *slower).headline == (
        "slow answers the most requests, 1000 per second; fast is next, with 50.0 % fewer (96.9 % CI 50.0\u201350.0 %);"
        " by requests per second, measured alone."
    )


def test_classes_are_tagged_where_the_plan_knows_them() -> None:
    """A historic server is shown and never ranked."""
    run, trials, _ = example_run()
    cells = tuple(
        dataclasses.replace(cell, class_="historic") if cell.server == "epoll" else cell for cell in run.cells
    )
    table = build_tables(view_run(folder_of(dataclasses.replace(run, cells=cells), trials)))[1]

    epoll = row(table, "epoll", "with edge-triggering")
    assert "historic" in epoll.tags
    decision = table.decision(epoll)
    assert decision is not None
    assert decision.why == "historic: shown, never ranked"


def test_a_row_that_only_noise_made_invalid_is_noisy() -> None:
    """Its rate is shown in every form, with the reason; it is compared with nothing and has no place."""
    calm = Check("V15", "calm machine", "fail", "other programs used 93 % of a CPU")
    noisy = [dataclasses.replace(one, verdict="invalid", reason="V15", checks=(calm,)) for one in TWICE[6:]]
    run = Run(kind="measured", machine="local", matrix=MATRIX)
    folder = folder_of(run, (*TWICE[:6], *noisy))
    table = build_tables(view_run(folder))[0]
    fast = row(table, "fast")

    assert (fast.status, fast.comparison, FAST in table.decisions) == ("noisy", None, False)
    assert fast.rps is not None
    assert fast.rps.value == 2000
    assert fast.reason == "none of 6 trials counts: V15 calm machine (6 times)"
    assert "none of 6 trials counts: V15 calm machine (6 times)</td>" in render_report([folder])
    assert "**noisy**: none of 6 trials counts: V15 calm machine (6 times)" in render_markdown([folder])
    assert "    fast             2000 (noisy)" in render_text([folder])
    assert "Not counted: 6 noisy of 12 trials." in render_text([folder])


def test_rows_without_a_number_are_excluded_and_headings_without_rows_are_gone() -> None:
    """What is shown and what is excluded are all rows, each once."""
    for table in example_tables():
        shown = [entry for entry in table.shown if isinstance(entry, Row)]

        assert sorted(map(id, (*shown, *table.excluded))) == sorted(map(id, table.measurable))
        assert all(entry.reason and not entry.rps for entry in table.excluded)
        pairs = list(zip(table.shown, table.shown[1:], strict=False))
        assert not any(isinstance(one, HeadingRow) and isinstance(next_, HeadingRow) for one, next_ in pairs)
        assert not table.shown or isinstance(table.shown[-1], Row)
    assert [entry.title for entry in example_tables()[4].shown if isinstance(entry, HeadingRow)] == [
        "async in nim",
        "for comparison",
    ]


def test_every_row_has_an_anchor_that_says_what_it_names() -> None:
    """Its table, its server, threads, connections and mode; no two are the same."""
    ids = [row.id for table in example_tables() for row in table.measurable]

    assert len(set(ids)) == len(ids)
    assert "table-persistent-epoll-t1-c64" in ids
    assert "table-persistent-jester-t1-c64" in ids
