"""Command lines with placeholders: argument lists in, argument lists out, never a shell."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.matrix.placeholders import OF_A_TRIAL

_PLACEHOLDER = re.compile(rf"\{{({'|'.join(OF_A_TRIAL)})\}}")


@dataclass(frozen=True)
class Words:
    """The values of a command's placeholders."""

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
        """Return a line break for root, otherwise nothing: "# {as_root}user: root" in a config applies only to root."""
        return "\n" if os.geteuid() == 0 else ""


def fill(words: Sequence[str], values: Words) -> tuple[str, ...]:
    """Return a command with its placeholders filled in; the word "{flags}" becomes one word for each flag."""
    filled: list[str] = []
    for word in words:
        if word == "{flags}":
            filled += (fill_text(flag, values) for flag in values.flags)
        else:
            filled.append(fill_text(word, values))
    return tuple(filled)


def fill_text(text: str, values: Words) -> str:
    """Return text with its placeholders filled in; other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda match: str(getattr(values, match[1])), text)
