"""JSON Lines, read back by the standard library."""

from __future__ import annotations

import json

import pytest

from reports.exports.columns import Column, Sheet
from reports.exports.lines import to_jsonl
from reports.exports.numbers import Numbers


def test_every_record_reads_back_as_it_was(numbers: Numbers) -> None:
    """Types, nulls and the last bit of each number included."""
    for sheet in (numbers.rows, numbers.duets, numbers.trials):
        assert [json.loads(line) for line in to_jsonl(sheet).splitlines()] == list(sheet.records)


def test_a_number_that_json_does_not_have_is_refused() -> None:
    """NaN and Infinity would make a file that most programs cannot read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_jsonl(Sheet((Column("value", float),), ({"value": float("inf")},)))
