"""Writes values of TOML; a matrix is written as text with comments, so nothing writes whole documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """Return text, a number, a truth value, a list or a table, as it stands behind a key; tables are inline."""
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} = {toml_value(inner)}" for key, inner in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, Iterable):
        return f"[{', '.join(map(toml_value, value))}]"
    return repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_text(name)


def toml_text(text: str) -> str:
    """Return a TOML string: as in JSON, but DEL must be escaped too, and surrogates stay as they are."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
