"""Appends a comparison to a history, as one line that is written at once and synced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reports.forms.history import to_line
from runners.records.files import open_to_append, why_unwritten

if TYPE_CHECKING:
    from pathlib import Path

    from reports.changes.history import Entry


def append(entry: Entry, file: Path) -> None:
    """Append an entry; a line that was cut off before is ended first. BadInput or DiskFull if that is impossible."""
    try:
        descriptor = open_to_append(file)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.pwrite(descriptor, f"{chr(10) if torn else ''}{to_line(entry)}".encode("utf-8", "replace"), size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise why_unwritten(file, error) from error
