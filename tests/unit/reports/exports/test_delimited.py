"""CSV, read back by the standard library's reader."""

from __future__ import annotations

import csv
import io

from reports.exports.columns import Column, Sheet
from reports.exports.delimited import to_csv
from reports.exports.numbers import Numbers


def read(text: str) -> list[dict[str, str]]:
    """Return the records of a CSV file."""
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_every_number_reads_back_exactly(numbers: Numbers) -> None:
    """Rows and trials; what is unknown is empty."""
    for sheet in (numbers.rows, numbers.duets, numbers.trials):
        found = read(to_csv(sheet))
        for column in sheet.columns:
            told = [record[column.name] for record in sheet.records]
            texts = [record[column.name] for record in found]
            if column.kind in {int, float}:
                assert [float(text) if text else None for text in texts] == told
            else:
                assert [text == "" for text in texts] == [value is None for value in told]


def test_a_sheet_without_records_has_its_header(numbers: Numbers) -> None:
    """So that a program that reads it finds its columns."""
    empty = Sheet(numbers.rows.columns, ())
    assert to_csv(empty) == ",".join(numbers.rows.names) + "\n"


def test_text_is_never_a_formula_nor_moves_a_cursor() -> None:
    """A server may be called anything."""
    sheet = Sheet((Column("name", str),), ({"name": "=cmd()\x1b[2J"}, {"name": 'a,"b"\nc'}))
    assert [record["name"] for record in read(to_csv(sheet))] == ["'=cmd()\u241b[2J", 'a,"b" c']


def test_truth_is_written_as_every_reader_knows_it() -> None:
    """DuckDB and pandas read these words as booleans."""
    sheet = Sheet((Column("twin", bool),), ({"twin": True}, {"twin": False}, {"twin": None}))
    assert to_csv(sheet) == 'twin\ntrue\nfalse\n""\n'
