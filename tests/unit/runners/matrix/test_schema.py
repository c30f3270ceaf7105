"""The schema with which editors complete matrix.toml: generated, committed and valid."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
import pytest

from runners.matrix.schema import json_schema
from tests.support import ROOT


@pytest.fixture(name="schema", scope="module")
def committed_schema() -> dict[str, Any]:
    """Return the committed schema."""
    schema: dict[str, Any] = json.loads((ROOT / "matrix.schema.json").read_text(encoding="utf-8"))
    return schema


def document() -> dict[str, Any]:
    """Return the project's matrix as plain data."""
    return tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8"))


def test_the_committed_schema_is_the_generated_one() -> None:
    """After a change of the model: python -m speedup schema > matrix.schema.json."""
    assert (ROOT / "matrix.schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_schema_is_a_valid_schema(schema: dict[str, Any]) -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


def test_the_project_s_matrix_follows_the_schema(schema: dict[str, Any]) -> None:
    """Editors show no errors in it."""
    jsonschema.validate(document(), schema)


def test_the_first_line_of_the_matrix_names_the_schema() -> None:
    """Editors find the schema by that line."""
    assert (ROOT / "matrix.toml").read_text(encoding="utf-8").splitlines()[0] == "#:schema ./matrix.schema.json"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("suite", "titel"), "x"),
        (("suite", "title"), 3),
        (("preset", "quick", "warmup"), 3),
        (("preset", "quick", "duration"), "1 parsec"),
        (("machine", "local", "threads"), []),
        (("machine", "local", "threads"), [0]),
        (("server", "epoll", "class"), "fast"),
        (("server", "epoll", "run"), "epoll --fast"),
        (("table",), [{"title": "t", "mode": "persistent", "rows": [3]}]),
        (("table",), [{"title": "t", "mode": "persistent", "rows": [{"titel": "x"}]}]),
    ],
)
def test_the_schema_refuses_what_reading_refuses(path: tuple[str, ...], value: Any, schema: dict[str, Any]) -> None:
    """Unknown keys, wrong types, wrong units."""
    broken = document()
    inner: Any = broken
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    """Editors show the description; only keys with a name that says it all have none."""
    silent = {
        f"{name}.{key}"
        for name, section in schema["$defs"].items()
        for key, field in section.get("properties", {}).items()  # a value of JSON has none
        if "description" not in field and "$ref" not in field and "allOf" not in field
    }
    assert silent <= {
        "Addition.threads", "Addition.connections", "Addition.modes", "Heading.heading", "Table.title", "Table.mode",
        "Tool.title",
    }  # fmt: skip
