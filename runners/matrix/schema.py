"""The JSON Schema of matrix.toml, from its models, and how all of the project's schemas are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runners.matrix.model import Matrix


def json_schema() -> str:
    """Return the JSON Schema of matrix.toml as the text of matrix.schema.json."""
    return schema_text("matrix.schema.json", "matrix.toml of http-speedup", Matrix.model_json_schema(by_alias=True))


def schema_text(file: str, title: str, schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema that pydantic has made as the text of a file of the project."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": file}
    return json.dumps({**head, **schema, "title": title}, indent=2) + "\n"
