"""Writes the report of run folders in one of its forms, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.view.limits import read_for_report
from runners.errors import BadInput
from runners.records.folder import REPORT_FILE, replace_file

FILES = {"html": REPORT_FILE, "md": "report.md", "txt": "report.txt"}  # form -> file in the run folder


def form_of(wanted: str | None, output: Path | None) -> str:
    """Return the form asked for, else the one that the file's name implies, else HTML."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return wanted or (suffix if suffix in FILES else "html")


def write_as(runs: Sequence[Path], form: str, output: Path | None = None) -> Path:
    """Write the report of run folders into the first of them, or where `output` says, and return its path."""
    if output and not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no folder {output.parent}; create it first")
    file = output or runs[0] / FILES[form]
    replace_file(file, render_as(runs, form))
    return file


def render_as(runs: Sequence[Path], form: str) -> str:
    """Return the report of run folders in one of the forms; the same folders give the same text."""
    folders = [read_for_report(path) for path in runs]
    if form == "html":
        from reports.forms.html import render_report  # noqa: PLC0415 - matplotlib takes half a second to import

        return render_report(folders)
    if form == "md":
        from reports.forms.markdown import render_markdown  # noqa: PLC0415 - as above: only what is asked for

        return render_markdown(folders)
    from reports.forms.text import render_text  # noqa: PLC0415

    return render_text(folders)
