"""Writes the report of run folders in one of its forms, whole or not at all."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from reports.forms.about import picture_name
from reports.view.limits import read_for_report
from runners.errors import BadInput
from runners.records.files import replace_file
from runners.records.folder import REPORT_FILE
from runners.records.run import RunFolder

log = logging.getLogger(__name__)
MOST = 2.0**63  # no counter of a kernel or a generator goes further
FILES = {
    "html": REPORT_FILE,
    "md": "report.md",
    "txt": "report.txt",
    "json": "report.json",
    "svg": "report.svg",
    "png": "report.png",
}  # form -> file in the run folder
PICTURES = ("svg", "png")
Content = TypeVar("Content")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What else a form is asked: a card's table and colours, a badge's row, the address at which a page will stand."""

    table: str = ""
    row: str = ""
    dark: bool = False
    url: str = ""


PLAIN = Wanted()


def form_of(wanted: str | None, output: Path | None) -> str:
    """Return the form asked for, else the one that the file's name implies, else HTML."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return wanted or (suffix if suffix in FILES else "html")


def write_as(
    runs: Sequence[Path], form: str, output: Path | None = None, *, redact: bool = False, wanted: Wanted = PLAIN
) -> Path:
    """Write the report of run folders into the first of them, or where `output` says, and return its path.

    A page with an address gets the picture beside it that its head names.
    """
    check_place(output)
    folders = read_all(runs)
    file = output or folders[0].path / FILES[form]
    replace_file(file, content_of(folders, form, wanted, redact=redact))
    if form == "html" and wanted.url:
        replace_file(file.parent / picture_name(wanted.url), content_of(folders, "png", redact=redact))
    return file


def check_place(output: Path | None) -> None:
    """Raise BadInput if a file cannot be written where it is wanted."""
    if output and not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no folder {output.parent}; create it first")
    if output and output.is_dir():
        raise BadInput(f"cannot write {output}: it is a folder; name a file in it")


def read_all(runs: Sequence[Path], read: Callable[[Path], RunFolder] = read_for_report) -> list[RunFolder]:
    """Return the run folders that can be read, and warn of the others; raise BadInput if there is none."""
    folders, faults = [], []
    for path in runs:
        try:
            folders.append(read(path))
        except BadInput as error:
            faults.append(error)
    if not folders:
        raise faults[0]
    for fault in faults:
        log.warning(f"left out of the report: {fault}")
    return folders


def content_of(folders: Sequence[RunFolder], form: str, wanted: Wanted = PLAIN, *, redact: bool = False) -> str | bytes:
    """Return what a file of a form holds; redacted, it is without what tells who measured where."""
    if redact:
        from reports.forms.redaction import redacted  # noqa: PLC0415 - only what is asked for

        with redacted(folders) as copies:
            return content_of(copies, form, wanted)
    if form in PICTURES:
        from reports.forms.card import render_card  # noqa: PLC0415 - matplotlib takes half a second to import

        return calculated(folders, lambda: render_card(folders, form, table=wanted.table, dark=wanted.dark))
    if form == "badge":
        from reports.forms.badge import render_badge  # noqa: PLC0415 - only what is asked for

        return render_badge(folders, table=wanted.table, row=wanted.row)
    return render_as(folders, form, wanted.url)


def render_as(folders: Sequence[RunFolder], form: str, url: str = "") -> str:
    """Return the report of run folders in one of the forms of text; the same folders give the same text.

    Raise BadInput if a folder holds a number that nothing can be calculated with, as no run of ours writes it.
    """
    return calculated(folders, lambda: _rendered(folders, form, url))


def calculated(folders: Sequence[RunFolder], render: Callable[[], Content]) -> Content:
    """Return what is made of run folders; raise BadInput where a folder holds an impossible number."""
    try:
        return render()
    except (ArithmeticError, ValueError) as error:
        for folder in folders:
            if _is_impossible([folder.run, folder.trials]):
                raise BadInput(f"{folder.path}: a number in it cannot be right ({error})") from error
        raise


def _is_impossible(value: Any) -> bool:
    """Return whether there is an infinite or huge number anywhere in a record."""
    if isinstance(value, int | float):
        return not abs(value) < MOST
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(_is_impossible(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return any(map(_is_impossible, value.values()))
    return isinstance(value, list | tuple) and any(map(_is_impossible, value))


def _rendered(folders: Sequence[RunFolder], form: str, url: str) -> str:
    if form == "html":
        from reports.forms.page.html import render_report  # noqa: PLC0415 - matplotlib takes half a second to import

        return render_report(folders, url)
    if form == "md":
        from reports.forms.markdown import render_markdown  # noqa: PLC0415 - as above: only what is asked for

        return render_markdown(folders)
    if form == "json":
        from reports.forms.answers import render_json  # noqa: PLC0415

        return render_json(folders)
    from reports.forms.text import render_text  # noqa: PLC0415

    return render_text(folders)
