"""Reads outputs from a run folder's logs: never from outside it, shortened, without our own histogram lines."""

from __future__ import annotations

from pathlib import Path

OWN_LINES = "speedup:"  # begins the lines that the load script prints for us and not for people
MOST_READ_BYTES = 1_000_000
HEAD_CHARACTERS = 3000
TAIL_CHARACTERS = 1500


def read_log(folder: Path, name: str | None) -> str | None:
    """Return the output in a log of the run folder, shortened in the middle; None if there is none to read."""
    if not name:
        return None
    try:
        root = folder.resolve()
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return None
        with file.open("rb") as stream:
            data = stream.read(MOST_READ_BYTES)
    except (OSError, ValueError):
        return None
    return shorten(without_own_lines(data.decode("utf-8", errors="replace")))


def without_own_lines(text: str) -> str:
    """Return output without the lines that our load script prints for us."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(OWN_LINES)).strip("\n")


def shorten(text: str) -> str:
    """Return the beginning and the end of a long text, and between them how much is left out."""
    left_out = len(text) - HEAD_CHARACTERS - TAIL_CHARACTERS
    if left_out <= 0:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n[... {left_out} characters left out ...]\n{text[-TAIL_CHARACTERS:]}"
