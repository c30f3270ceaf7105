"""Bencher Metric Format, by the shape that Bencher publishes as its JSON Schema, written down here by us."""

from __future__ import annotations

import json

import jsonschema

from reports.exports.bencher import MEASURES, to_bmf
from reports.exports.numbers import Numbers

NUMBER = {"type": "number"}
SHAPE = {  # its own schema, but that nothing else may be in it, and that a name may have so many characters
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9-]{1,64}$"},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "additionalProperties": False,
            "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
        },
    },
}


def test_an_export_has_the_published_shape(numbers: Numbers) -> None:
    """With a benchmark for each measured cell."""
    found = json.loads(to_bmf(numbers))
    jsonschema.validate(found, SHAPE)
    assert list(found) == list(numbers.measured)


def test_every_value_is_exact_and_within_its_bounds(numbers: Numbers) -> None:
    """A value outside would be a mistake of ours, and Bencher's thresholds would go by it."""
    found = json.loads(to_bmf(numbers))
    for name, row in numbers.measured.items():
        for column, measure in MEASURES.items():
            metric = found[name][measure]
            assert metric["value"] == row[column]
            assert metric.get("lower_value", metric["value"]) <= metric["value"]
            assert metric["value"] <= metric.get("upper_value", metric["value"])


def test_a_measure_s_name_ends_with_its_unit() -> None:
    """As the column does from which it comes."""
    assert {column.replace("_", "-") for column in MEASURES} == set(MEASURES.values())
