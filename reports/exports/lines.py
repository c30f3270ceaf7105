"""JSON Lines: an object per line, each with every column; unknown is null. Pure."""

from __future__ import annotations

import json

from reports.exports.columns import Sheet


def to_jsonl(sheet: Sheet) -> str:
    """Return records as JSON, one a line; ValueError for an infinite number, which JSON does not have."""
    return "".join(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n" for record in sheet.records)
