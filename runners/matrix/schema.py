"""The JSON Schema of matrix.toml, from its models."""

from __future__ import annotations

import json

from runners.matrix.model import Matrix


def json_schema() -> str:
    """Return the JSON Schema of matrix.toml as the text of matrix.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "matrix.schema.json",
        **Matrix.model_json_schema(by_alias=True),
        "title": "matrix.toml of http-speedup",
    }
    return json.dumps(schema, indent=2) + "\n"
