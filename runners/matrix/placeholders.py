"""The placeholders that commands and environment variables may contain."""

from __future__ import annotations

import re
from collections.abc import Iterator

OF_A_TRIAL = ("dir", "out", "work", "config", "host", "port", "threads", "as_root")  # filled in for each trial
CONFIG = "{config}"
FLAGS, SERVER, SOURCE = OF_THE_MATRIX = ("{flags}", "{server}", "{source}")  # filled in once
KNOWN = dict.fromkeys((*(f"{{{name}}}" for name in OF_A_TRIAL), *OF_THE_MATRIX))

# A whole word in lower case; "{{word}}" belongs to a template, "${word}" to a shell.
_PLACEHOLDER = re.compile(r"(?<![{$])\{[a-z][a-z_]*\}(?!\})")


def unknown_in(text: str) -> Iterator[str]:
    """Yield what looks like a placeholder but is none, so that it would reach the program as it is."""
    return (word for word in dict.fromkeys(_PLACEHOLDER.findall(text)) if word not in KNOWN)
