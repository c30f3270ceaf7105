"""Words that several commands use."""

from __future__ import annotations


def plural(count: int, word: str) -> str:
    """Return "1 cell" or "2 cells"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
