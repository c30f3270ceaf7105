"""The hash of a file: whether a server, a tool or this project is still the one that was measured."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits; raise OSError if it cannot be read."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
