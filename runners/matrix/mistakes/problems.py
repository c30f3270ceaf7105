"""Errors in matrix.toml, and how they are reported: each with file:line:column, the line and a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runners.matrix.mistakes.locate import locate

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One error: the path of the value in the document, what is wrong, and what may have been meant."""

    path: Path_
    message: str
    suggestion: str | None = None


def unknown(path: Path_, kind: str, name: str, known: Mapping[str, object]) -> Problem:
    """Return the error that a name is not known."""
    return Problem(path, f"unknown {kind} '{name}'", closest(name, known) or f"known: {', '.join(known)}")


def closest(name: str, known: Mapping[str, object] | Sequence[str]) -> str | None:
    """Return "did you mean 'x'?" if a known name resembles `name`."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None


def report(problems: Sequence[Problem], text: str, name: str) -> str:
    """Return all errors as text, in the order of the file, each once."""
    placed = sorted(
        {(locate(text, problem.path), problem.message, problem.suggestion) for problem in problems},
        key=lambda item: (item[0], item[1]),
    )
    blocks = [show(name, text, line, column, _sentence(message, hint)) for (line, column), message, hint in placed]
    count = f"{len(blocks)} errors" if len(blocks) > 1 else "1 error"
    return "\n\n".join([*blocks, f"{count} in {name}; nothing was run"])


def _sentence(message: str, suggestion: str | None) -> str:
    return f"{message} - {suggestion}" if suggestion else message


def show(name: str, text: str, line: int, column: int, message: str) -> str:
    """Return "file:line:column: message", the line, and a caret under the column."""
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return f"{name}:{line}:{column}: {message}\n    {source}\n    {' ' * (column - 1)}^"
