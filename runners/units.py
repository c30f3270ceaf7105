"""Parses and formats durations, sizes and shares the way people write them, and formats counts of things."""

from __future__ import annotations

import re

DURATIONS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZES_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
SHARES = {"%": 0.01}

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]+)\s*")


def parse_quantity(text: object, family: dict[str, float] | dict[str, int], example: str) -> float:
    """Return `text` ("300ms") in the family's base unit; raise ValueError, with the known units, if it has none."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in family:
        units = ", ".join(family)
        raise ValueError(f"write a number with its unit ({units}), like {example!r}")
    return float(match[1]) * family[match[2]]


def parse_duration_s(text: object) -> float:
    """Return a duration such as "300ms" or "10s" in seconds."""
    return parse_quantity(text, DURATIONS_S, "10s")


def parse_share(text: object) -> float:
    """Return a share such as "1%" as a fraction."""
    return parse_quantity(text, SHARES, "1%")


def parse_size_bytes(text: object) -> float:
    """Return a size such as "8MiB" in bytes."""
    return parse_quantity(text, SIZES_BYTES, "8MiB")


def format_duration(seconds: float) -> str:
    """Return a duration in seconds the way people write it: "300ms", "1.5s", "4m10s", "2h05m"."""
    if seconds < 0.9995:  # anything longer rounds to 1 s
        return f"{seconds * 1000:.3g}ms"
    if seconds < 59.95:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def format_size(size_bytes: float) -> str:
    """Return a size in bytes in the largest unit that gives at least 1: "3.2 MiB"."""
    for unit, factor in reversed(SIZES_BYTES.items()):
        if round(size_bytes) >= factor:
            number = size_bytes / factor
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"
    return f"{size_bytes:.0f} B"


def printable(text: str) -> str:
    """Return text without what a terminal would obey instead of showing it; lines and tabs stay.

    What a server prints or answers may recolour a terminal, erase lines, or turn the reading direction round.
    """
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


def plural(count: int, word: str) -> str:
    """Return "1 cell", "2 cells"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
