"""A run's numbers to work with: the tables' rows as CSV and all trials as JSON, inside the page as data: links.

If the page itself cannot show the commands and output of every trial, they are a compressed text beside them. Column
names end with their units; what is unknown is empty in CSV and null in JSON. Numbers are rounded to six digits. Latency
histograms and samples are left to the run folder, which has everything.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from reports.forms.page.folds import Fold
from reports.forms.page.logs import read_log
from reports.tables.tables import TableModel
from reports.view.latency import Latency
from reports.view.rows import Row
from reports.view.view import RunView, ok_trials
from reports.view.words import clean, one_line
from runners.records.run import Run
from runners.records.trial import Trial, slug_of
from runners.stats.statistics import Estimate
from runners.units import plural

SCHEMA = "speedup.data/1"
MOST_CHARACTERS = 250_000  # of a data: link; the whole page should stay below 2 MB
LEAST_CHARACTERS = 50  # of a trial or a row: with too many, the text is not even made
PLAIN = "!$()*+,-./:;=?@[]_{|}~"  # allowed as they are in a data: link and in an attribute
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run text that begins with these

Field = str | float | None


@dataclass(frozen=True)
class Download:
    """A file inside the page: its name, what it holds, and the link; "" if it is too large, and stands in `where`."""

    name: str
    what: str
    href: str
    where: str = "trials.jsonl"


def downloads(view: RunView, tables: Sequence[TableModel], folds: Sequence[Fold]) -> tuple[Download, ...]:
    """Return the files that a run's page offers."""
    stem = _stem(view.run)
    rows = sum(len(table.measurable) for table in tables)
    count = sum(len(trials) for trials in view.every.values())
    latencies = {fold.cell.id: fold.latency for fold in folds if fold.latency}
    table = to_csv(list(table_rows(tables, latencies))) if rows * LEAST_CHARACTERS <= MOST_CHARACTERS else ""
    trials = trials_json(view) if count * LEAST_CHARACTERS <= MOST_CHARACTERS else ""
    files = (
        _download(f"{stem}-rows.csv", "text/csv", table, f"{plural(rows, 'row')} of the tables, as CSV"),
        _download(f"{stem}-trials.json", "application/json", trials, f"{plural(count, 'trial')}, as JSON"),
    )
    return (
        files
        if view.limits.all_outputs or not view.limits.folds
        else (*files, _outputs(view, f"{stem}-outputs.txt.gz"))
    )


def _outputs(view: RunView, name: str) -> Download:
    """Return the commands and output of every trial; they are much alike, so that they become small."""
    packed = gzip.compress("".join(outputs_text(view)).encode("utf-8", "replace"), mtime=0)
    link = f"data:application/gzip;base64,{base64.b64encode(packed).decode()}"
    what = "the commands and output of every trial, as compressed text"
    return Download(name, what, link if len(link) <= MOST_CHARACTERS else "", "logs/")


def outputs_text(view: RunView) -> Iterator[str]:
    """Yield the commands and output of every trial, in the order in which they were recorded."""
    for trial in view.folder.trials:
        block = "" if trial.block is None else f", block {trial.block + 1}"
        yield f"## {slug_of(trial.cell)}{block}: {trial.verdict}\n"
        for command in trial.commands:
            output = read_log(view.folder.path, command.log)
            yield clean(f"$ {shlex.join(command.argv)}\n{output or '(no output kept)'}\n\n")


def recipe(view: RunView, text: str) -> Download:
    """Return the file that says how to measure the run again."""
    return _download(f"{_stem(view.run)}-recipe.json", "application/json", text, "what `speedup reproduce` needs")


def _stem(run: Run) -> str:
    """Return the beginning of the names of a run's files, safe on any file system."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"speedup {run.machine} {run.started_at or ''}").strip("-").lower()


def _download(name: str, kind: str, text: str, what: str) -> Download:
    link = f"data:{kind};charset=utf-8,{quote(text, safe=PLAIN)}" if 0 < len(text) <= MOST_CHARACTERS else ""
    return Download(name, what, link if len(link) <= MOST_CHARACTERS else "")


def table_rows(tables: Iterable[TableModel], latencies: Mapping[str, Latency]) -> Iterator[dict[str, Field]]:
    """Yield a record for each row of each table: its names, what was measured, and what was published."""
    for table in tables:
        for row in table.measurable:
            yield {"table": table.title} | _named(row, table) | _measured(row) | _compared(row, table) | {
                **_latency(latencies.get(row.cell.id) if row.cell and row.status == "measured" else None),
                "published_requests_per_s": _number(row.published),
                "published_by": table.published.name if table.published and row.published is not None else None,
            }  # fmt: skip


def _named(row: Row, table: TableModel) -> dict[str, Field]:
    return {
        "row": row.label,
        "note": row.note or None,
        "server": row.key.server if row.key else None,
        "variant": row.key.variant if row.key else None,
        "threads": (row.key.threads or None) if row.key else None,  # 0: an imported trial does not tell
        "connections": (row.cell.connections or None) if row.cell else None,
        "mode": table.mode,
        "load": row.cell.load if row.cell else None,
        "status": row.status,
        "reason": row.reason or row.trials_note or None,
        "tags": " ".join(row.tags) or None,
    }


def _measured(row: Row) -> dict[str, Field]:
    return {
        "trials": len(row.trials),
        "trials_valid": len(ok_trials(row.trials)),
        **_estimate("requests_per_s", row.rps),
        "server_cpu_us_per_request": _value(row.costs.server),
        "client_cpu_us_per_request": _value(row.costs.client),
        "machine_cpu_us_per_request": _value(row.costs.machine),
        "rss_bytes": _number(row.costs.rss_bytes),
        "idle_rss_bytes": _number(row.costs.idle_rss_bytes),
        "start_us": _number(row.costs.start_us),
    }


def _compared(row: Row, table: TableModel) -> dict[str, Field]:
    to, found = row.comparison, table.decision(row)
    return {
        **_estimate("ratio_to_baseline", to.ratio if to else None),
        "verdict": "baseline" if row.baseline else (found.answer or ": ".join(found.unsaid)) if found else None,
        "verdict_basis": found.basis if found else None,
        "verdict_figure": found.figure if found else None,
        **_estimate("verdict_ratio", found.estimate if found else None),
        "verdict_margin": _number(found.rule.margin) if found and found.rule else None,
        "rank": table.places.get(row.cell.id) if row.cell else None,
    }


def _latency(latency: Latency | None) -> dict[str, Field]:
    names = ("p50_us", "p90_us", "p99_us", "max_us")
    return {f"latency_{name}": getattr(latency, name) if latency else None for name in names}


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Field]:
    interval = estimate.interval if estimate else None
    return {
        name: _value(estimate),
        f"{name}_low": _number(interval.low) if interval else None,
        f"{name}_high": _number(interval.high) if interval else None,
        f"{name}_level": _number(interval.level) if interval else None,
    }


def _value(estimate: Estimate | None) -> float | None:
    return _number(estimate.value) if estimate else None


def _number(value: float | None) -> float | None:
    """Return a number with six digits; an integer if it has no fraction."""
    if value is None:
        return None
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def to_csv(rows: Sequence[Mapping[str, Field]]) -> str:
    """Return records as CSV; an apostrophe keeps a spreadsheet from running text as a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows[0] if rows else [])
    writer.writerows([csv_cell(value) for value in row.values()] for row in rows)
    return stream.getvalue()


def csv_cell(value: Field) -> Field:
    """Return a value as CSV shows it: text harmless and on one line, and never a formula."""
    if not isinstance(value, str):
        return value
    words = clean(one_line(value), keep="")
    return f"'{words}" if words.startswith(FORMULA) else words


TRIAL_COLUMNS = (
    "design", "block", "attempt", "verdict", "bound", "requests", "duration_us", "requests_per_s",
    "server_cpu_us_per_request", "client_cpu_us_per_request", "machine_cpu_us_per_request", "rss_bytes",
    "offered_per_s", "cost_log_ratio", "objective", "objective_met",
)  # fmt: skip


def trials_json(view: RunView) -> str:
    """Return all trials as JSON: a list of rows for each cell, with the column names given once.

    The last column, `beside`, is the index in `cells` of the partner in a duet.
    """
    measured = [cell for cell in view.cells if cell.id in view.every]
    places = {cell.id: place for place, cell in enumerate(measured)}
    cells = (
        {
            "cell": cell.id, "server": cell.server, "variant": cell.variant, "threads": cell.threads,
            "connections": cell.connections, "mode": cell.mode, "load": cell.load, "shared": cell.shared,
            "twin_of": cell.twin_of,
            "trials": [[*_trial(trial), places.get(trial.partner or "")] for trial in view.every[cell.id]],
        }
        for cell in measured
    )  # fmt: skip
    run = view.run
    head = {"schema": SCHEMA, "machine": run.machine, "started_at": run.started_at, "version": run.version or None}
    data = {**head, "columns": (*TRIAL_COLUMNS, "beside"), "cells": list(cells)}
    return json.dumps(data, separators=(",", ":"))


def _trial(trial: Trial) -> Iterator[Field]:
    for name in TRIAL_COLUMNS:
        value = getattr(trial, name)
        yield _number(value) if isinstance(value, float) else value
