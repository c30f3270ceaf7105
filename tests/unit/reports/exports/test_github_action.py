"""github-action-benchmark's arrays, by the documented shape, written down here as a schema of ours."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from reports.exports.github_action import FigureName, to_github_action
from reports.exports.numbers import Numbers

SHAPE = {  # of customBiggerIsBetter and customSmallerIsBetter, as the action's README describes it
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "unit": {"type": "string"},
            "value": {"type": "number"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
    },
}
FIGURES: tuple[FigureName, ...] = ("requests_per_s", "server_cpu_us_per_request")


def entries(numbers: Numbers, figure: FigureName) -> list[dict[str, Any]]:
    """Return an export's entries."""
    found: list[dict[str, Any]] = json.loads(to_github_action(numbers, figure))
    return found


@pytest.mark.parametrize("figure", FIGURES)
def test_an_export_has_the_documented_shape(numbers: Numbers, figure: FigureName) -> None:
    """With one entry for each measured cell."""
    found = entries(numbers, figure)
    jsonschema.validate(found, SHAPE)
    assert [entry["value"] for entry in found] == [row[figure] for row in numbers.measured.values()]
    assert len({entry["name"] for entry in found}) == len(found)


def test_the_range_is_what_the_action_can_read(numbers: Numbers) -> None:
    """It takes a number behind ±; the farther end of the interval is the honest one."""
    for entry, row in zip(entries(numbers, "requests_per_s"), numbers.measured.values(), strict=True):
        reach = re.fullmatch(r"(?:\+-|±)\s*(\d.+)", entry.get("range", ""))
        low, high = row["requests_per_s_low"], row["requests_per_s_high"]
        if low is None:
            assert reach is None
        else:
            assert reach
            assert float(reach[1]) == max(high - entry["value"], entry["value"] - low)


def test_a_row_without_a_valid_number_is_not_in_it(numbers: Numbers) -> None:
    """The action would plot it like any other."""
    bad = {str(row["cell"]).partition("#")[0] for row in numbers.rows.records if row["status"] != "measured"} - {"None"}
    assert bad
    assert {entry["name"].split()[0] for entry in entries(numbers, "requests_per_s")} & bad == set()


def test_an_entry_says_of_which_run_and_how_many_trials_it_is(numbers: Numbers) -> None:
    """In what the action shows beside the point."""
    extra = entries(numbers, "requests_per_s")[0]["extra"]
    assert "run example, machine local, started 2026-11-24T18:00:00Z" in extra
    assert "6 of 6 trials valid" in extra
