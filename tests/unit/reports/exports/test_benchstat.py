"""Go benchmark results, by the format's documented syntax; benchstat itself reads them in tests/acceptance."""

from __future__ import annotations

import dataclasses
import re

from reports.exports.benchstat import to_benchstat
from reports.exports.columns import Sheet
from reports.exports.numbers import Numbers, numbers_of
from tests.support.small_run import duet_run, small_run

RESULT = re.compile(r"Benchmark[A-Z]\S* [1-9]\d*( \S+ \S+)+")
CONFIGURATION = re.compile(r"[a-z][^A-Z\s:]*: .+")
UNIT = re.compile(r"Unit \S+ better=(higher|lower)")


def test_every_line_is_a_result_a_configuration_a_unit_or_a_comment(numbers: Numbers) -> None:
    """Anything else would be ignored without a word."""
    lines = to_benchstat(numbers).splitlines()
    forms = (RESULT, CONFIGURATION, UNIT, re.compile(r"# .*"))
    assert [line for line in lines if not any(form.fullmatch(line) for form in forms)] == []


def test_each_trial_that_counts_is_a_line_with_its_exact_rate(numbers: Numbers) -> None:
    """Invalid trials and twins are left out."""
    results = [line.split() for line in to_benchstat(numbers).splitlines() if line.startswith("Benchmark")]
    counted = [trial for trial in numbers.trials.records if trial["counts"] and not trial["twin"]]
    assert [float(words[words.index("requests/s") - 1]) for words in results] == [
        trial["requests_per_s"] for trial in counted
    ]


def test_names_tell_apart_what_must_not_be_mixed() -> None:
    """A duet's rate means nothing beside that of a solo trial, so the design is in the name."""
    solo, duet = (to_benchstat(numbers_of([run({"a": 1.0, "b": 2.0})])) for run in (small_run, duet_run))
    assert "/design=solo/load=wrk " in solo
    assert "/design=duet/load=wrk " in duet


def test_requests_are_told_apart(numbers: Numbers) -> None:
    """Those of a matrix with several, and those that others named."""
    one, other = (dict(trial) for trial in numbers.trials.records[:2])
    rows = Sheet(numbers.trials.columns, ({**one, "request": "db"}, {**other, "request": None}))
    lines = to_benchstat(dataclasses.replace(numbers, trials=rows)).splitlines()
    assert ["/request=db/" in line for line in lines if line.startswith("Benchmark")] == [True, False]


def test_two_runs_of_one_machine_have_the_same_configuration() -> None:
    """Otherwise benchstat would compare nothing."""
    texts = [to_benchstat(numbers_of([small_run({"a": 1.0}, blocks=blocks)])) for blocks in (6, 8)]
    found = [[line for line in text.splitlines() if CONFIGURATION.fullmatch(line)] for text in texts]
    assert found == [["machine: local"]] * 2


def test_it_says_how_many_trials_count(numbers: Numbers) -> None:
    """With the run and its date, where no program minds them."""
    assert "# run example, started 2026-11-24T18:00:00Z:\n# 239 of 240 trials count\n" in to_benchstat(numbers)
