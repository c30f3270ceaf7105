"""Finds the line and column of a value in a TOML text.

No TOML package keeps positions of parsed values, so the real parser reads prefixes of the text: the first prefix in
which the value exists ends at the statement that wrote it. Values never disappear again, so a few prefixes suffice.
Used on the error path only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import tomli

Path_ = Sequence[str | int]


def locate(text: str, path: Path_) -> tuple[int, int]:
    """Return line and column (from 1) of the value at `path`, or of the nearest table above it that exists."""
    prefixes = _prefixes(text)
    for depth in range(len(path), 0, -1):
        if (statement := _statement(prefixes, path[:depth])) is not None:
            return _column(prefixes.lines, *statement, path[:depth])
    return 1, 1


class _Prefixes:
    """The documents that the first lines of a text are, each parsed once for all errors."""

    def __init__(self, text: str) -> None:
        self.lines = [f"{line}\n" for line in text.split("\n")]  # not splitlines: TOML has only one line end
        self._documents: dict[int, Any] = {}

    def document(self, end: int) -> Any:
        """Return the document of the lines up to `end`; None if that is inside a multi-line value."""
        if end not in self._documents:
            try:
                self._documents[end] = tomli.loads("".join(self.lines[:end]))
            except ValueError:
                self._documents[end] = None
        return self._documents[end]

    def whole(self, end: int) -> int:
        """Return the first end from here on of a document."""
        while end < len(self.lines) and self.document(end) is None:
            end += 1
        return end


@lru_cache(maxsize=1)
def _prefixes(text: str) -> _Prefixes:
    return _Prefixes(text)


def _statement(prefixes: _Prefixes, path: Path_) -> tuple[int, int] | None:
    """Return the first and last line (from 0) of the statement that creates `path`."""
    low, high = 1, len(prefixes.lines)
    if not _has(prefixes.document(high), path):
        return None
    while low < high:
        middle = (low + high) // 2
        if _has(prefixes.document(prefixes.whole(middle)), path):
            high = middle
        else:
            low = middle + 1
    end = prefixes.whole(low)
    start = end - 1
    while start and prefixes.document(start) is None:
        start -= 1
    return _first_code_line(prefixes.lines, start, end - 1), end - 1


def _has(document: Any, path: Path_) -> bool:
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _first_code_line(lines: list[str], start: int, end: int) -> int:
    for number in range(start, end):
        if lines[number].strip() and not lines[number].lstrip().startswith("#"):
            return number
    return end


def _column(lines: list[str], first: int, last: int, path: Path_) -> tuple[int, int]:
    """Return the position of the last named part of the path within the statement."""
    if isinstance(path[-1], int):
        item = _item(lines, first, last, path[-1])
        if item is not None:
            return item
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    pattern = re.compile(rf"(?<![\w-])[\"']?{re.escape(name)}[\"']?(?![\w-])")
    for number in range(first, last + 1):
        if match := pattern.search(lines[number]):
            return number + 1, match.start() + 1
    indent = len(lines[first]) - len(lines[first].lstrip())
    return first + 1, indent + 1


def _item(lines: list[str], first: int, last: int, index: int) -> tuple[int, int] | None:
    """Return where item `index` of the array in this statement begins, by parsing growing prefixes of it."""
    statement = "".join(lines[first : last + 1])
    key, bracket, _ = statement.partition("[")
    if not bracket or statement.lstrip().startswith("["):
        return None
    begin = len(key) + 1
    for position in range(begin, len(statement)):
        if statement[position] not in ",]":
            continue
        try:
            items = tomli.loads("x = [" + statement[len(key) + 1 : position] + "]")["x"]
        except tomli.TOMLDecodeError:
            continue
        if len(items) > index:
            return _at(statement, first, _skip_blank(statement, begin))
        begin = position + 1
    return None


def _skip_blank(text: str, position: int) -> int:
    """Return the first position from here that holds neither white space nor a comment."""
    while match := re.compile(r"\s+|#[^\n]*").match(text, position):
        position = match.end()
    return position


def _at(statement: str, first: int, position: int) -> tuple[int, int]:
    before = statement[:position]
    return first + before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
