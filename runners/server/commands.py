"""Command lines with placeholders: argument lists in, argument lists out, never a shell."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{(dir|out|work|config|host|port|threads|as_root)\}")


@dataclass(frozen=True)
class Words:
    """What the placeholders of a command stand for."""

    dir: Path
    out: Path
    work: Path
    config: Path
    host: str
    port: int
    threads: int
    flags: tuple[str, ...]

    @property
    def as_root(self) -> str:
        """Return a line break for root, nothing for others: in a config, "# {as_root}user: root" is for root only."""
        return "\n" if os.geteuid() == 0 else ""


def fill(words: Sequence[str], values: Words) -> tuple[str, ...]:
    """Return a command with its placeholders filled; the word "{flags}" becomes as many words as there are flags."""
    filled: list[str] = []
    for word in words:
        if word == "{flags}":
            filled += values.flags
        else:
            filled.append(fill_text(word, values))
    return tuple(filled)


def fill_text(text: str, values: Words) -> str:
    """Return text with its placeholders filled; other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda match: str(getattr(values, match[1])), text)
