"""Derives from some right answers what every answer must look like: as tight as what they have in common. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

from runners.matrix.requests.request import Expect

LONGEST_TEXT_CHARS = 300  # a longer body is told by its hash
LONGEST_VALUE_CHARS = 200  # a longer value in JSON is not demanded
MOST_JSON_CHARS = 2000
LEAST_SPARE_BYTES, SPARE = 16, 0.1  # by which other answers may be shorter or longer than those seen
MOST_SPREAD = 4.0  # bodies that differ more in length have no length to expect
GONE = object()


def expectation(status: int, bodies: Sequence[bytes]) -> Expect:
    """Return the tightest expectation that holds for all these bodies: exact, JSON, length, or just the status."""
    first = bodies[0]
    if all(body == first for body in bodies):
        text = _short_text(first)
        return Expect(status, sha256=hashlib.sha256(first).hexdigest()) if text is None else Expect(status, body=text)
    common = _common_object(bodies)
    return Expect(status, length=_length(bodies)) if common is None else Expect(status, json=common)


def in_words(expect: Expect) -> str:
    """Return what is expected, in words that follow "each answer must be"."""
    if expect.body is not None:
        return "exactly this body"
    if expect.sha256 is not None:
        return "exactly this body (its SHA-256 is compared)"
    if expect.json is not None:
        keys = list(json.loads(expect.json))
        return f"a JSON object with the same {', '.join(keys)}" if keys else "a JSON object"
    if expect.length is not None:
        return f"a body of {expect.length[0]} to {expect.length[1]} bytes"
    return f"of status {expect.status}, whatever its body"


def _short_text(body: bytes) -> str | None:
    """Return a body as text; None if it is long or not text, and would be no good to read."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    readable = all(char.isprintable() or char in "\r\n\t" for char in text)
    return text if readable and len(text) <= LONGEST_TEXT_CHARS else None


def _common_object(bodies: Sequence[bytes]) -> str | None:
    """Return the JSON object that all of these contain, as JSON text; None if they are no objects."""
    try:
        first, *others = [json.loads(body) for body in bodies]
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(each, dict) for each in (first, *others)):
        return None
    common = first
    for other in others:
        common = _common(common, other)
    text = json.dumps(_writable(common), sort_keys=True)
    return text if len(text) <= MOST_JSON_CHARS else "{}"


def _common(one: Any, other: Any) -> Any:
    """Return what two JSON values have in common: the keys of objects with equal values, or an equal value."""
    if isinstance(one, dict) and isinstance(other, dict):
        shared = {key: _common(value, other[key]) for key, value in one.items() if key in other}
        return {key: value for key, value in shared.items() if value is not GONE}
    return one if one == other and isinstance(one, bool) == isinstance(other, bool) else GONE


def _writable(document: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what TOML cannot hold, and without long values."""
    kept = {key: _writable(value) if isinstance(value, dict) else value for key, value in document.items()}
    return {key: value for key, value in kept.items() if _is_writable(value)}


def _is_writable(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    if isinstance(value, list):
        return all(map(_is_writable, value)) and len(json.dumps(value)) <= LONGEST_VALUE_CHARS
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return value is not None and len(str(value)) <= LONGEST_VALUE_CHARS


def _length(bodies: Sequence[bytes]) -> tuple[int, int] | None:
    """Return a range of lengths with room on both sides; None if the lengths differ too much to expect any."""
    least, most = min(map(len, bodies)), max(map(len, bodies))
    if least * MOST_SPREAD < most:
        return None
    spare = max(LEAST_SPARE_BYTES, round(SPARE * most))
    return max(1, least - spare), most + spare
