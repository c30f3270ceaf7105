"""The numbers of the synthetic run, and its answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from reports.exports.numbers import Numbers, numbers_of
from reports.forms.answers import RunData, report_data
from runners.records.run import RunFolder
from tests.support.example_run import example_run


@cache
def folder() -> RunFolder:
    """Return the synthetic run."""
    run, trials, _ = example_run()
    return RunFolder(Path("results", "example"), run, trials)


@cache
def _numbers() -> Numbers:
    return numbers_of([folder()])


@pytest.fixture(name="numbers")
def numbers_fixture() -> Numbers:
    """Return the synthetic run's numbers."""
    return _numbers()


@pytest.fixture(name="answers")
def answers_fixture() -> RunData:
    """Return the same run's answers, as `report --format json` has them."""
    (run,) = report_data([folder()]).runs
    return run
