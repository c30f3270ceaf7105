"""Makes a run folder out of the measurements of others: marked imported, with its source. What nobody told is null."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runners.errors import BadInput
from runners.foreign.reading import FORMATS
from runners.foreign.sample import Foreign, Sample
from runners.records.files import replace_file
from runners.records.folder import LOGS, TRIALS_FILE, to_line, write_run
from runners.records.run import Run, Source
from runners.records.trial import Check, Command, Errors, Trial, Verdict
from runners.units import plural, printable
from runners.version import VERSION

MOST_KEPT_CHARACTERS = 1 << 20  # of a file, in the run folder's logs; of a larger one, only its hash is kept
MOST_FOLDERS = 1000  # of the same second and machine
USUAL_MODE = "persistent"
ADVICE = "whether such requests are in the rate is for the program to say that counted them"
NOTES = {  # by format, what a reader of its numbers must know
    "the-benchmarker": "The-benchmarker's figures are averages over several requests.",
    "techempower": "TechEmpower's times are whole seconds, so its rates are only that exact.",
}


@dataclass(frozen=True)
class Told:
    """What the user says of files, where they do not say it themselves."""

    server: str | None = None
    variant: str | None = None
    threads: int | None = None
    connections: int | None = None
    mode: str | None = None
    pipeline_depth: int | None = None
    rate_per_s: float | None = None
    machine: str | None = None
    date: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Imported:
    """A file, its format's name, and the measurements in it."""

    file: Foreign
    format: str
    samples: tuple[Sample, ...]

    @property
    def is_kept(self) -> bool:
        """Return whether the run folder gets a copy of the file."""
        return len(self.file.text) <= MOST_KEPT_CHARACTERS


def write_imported(results: Path, imported: Sequence[Imported], told: Told, now: dt.datetime) -> Path:
    """Write a new run folder in `results` and return it."""
    run, trials = run_of(imported, told), tuple(trials_of(imported, told))
    path = _new_folder(results, f"{now:%Y%m%dT%H%M%SZ}-{run.machine}")
    for number, item in enumerate(imported, start=1):
        if item.is_kept:
            replace_file(path / _log(number), printable(item.file.text))
    write_run(path, run)
    replace_file(path / TRIALS_FILE, b"".join(map(to_line, trials)))
    return path


def _new_folder(results: Path, name: str) -> Path:
    """Return a new folder with one for logs; if its name is taken, a number stands behind it."""
    try:
        names = (name if number == 1 else f"{name}-{number}" for number in range(1, MOST_FOLDERS))
        path = next(results / each for each in names if not (results / each).exists())
        (path / LOGS).mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"cannot create a run folder in {results}: {error.strerror}") from error
    return path


def _log(number: int) -> str:
    return f"{LOGS}/imported-{number}.txt"


def run_of(imported: Sequence[Imported], told: Told) -> Run:
    """Return the head of the run: the source of its numbers, and what had to be assumed."""
    names = [printable(item.file.name) for item in imported]
    source = f"{names[0]} and {plural(len(names) - 1, 'other file')}" if len(names) > 1 else names[0]
    titles = dict.fromkeys(FORMATS[item.format].title for item in imported)
    dates = [sample.started_at for sample in imported[0].samples if sample.started_at] if len(imported) == 1 else []
    date = told.date or min(dates, default=None)
    return Run(
        kind="imported",
        machine=_machine(imported, told),
        machine_title=printable(told.machine) if told.machine else f"imported from {source}",
        started_at=date,
        version=VERSION,
        source=Source(f"{source}: {', '.join(titles)}", told.url, date),
        notes=tuple(_notes(imported, told)),
        files={name: _hash(item.file) for name, item in zip(names, imported, strict=True)},
    )


def _machine(imported: Sequence[Imported], told: Told) -> str:
    return _slug(told.machine or Path(printable(imported[0].file.name)).stem)


def _hash(file: Foreign) -> str:
    return hashlib.sha256(file.text.encode("utf-8", "replace")).hexdigest()


def _notes(imported: Sequence[Imported], told: Told) -> Iterator[str]:
    unsaid = sum(sample.mode is None for item in imported for sample in item.samples)
    if unsaid and told.mode is None:
        yield (
            f"The source does not say whether connections were reused ({plural(unsaid, 'number')}): taken as"
            f" {USUAL_MODE}, as load generators do by default."
        )
    yield from (NOTES[each] for each in dict.fromkeys(item.format for item in imported) if each in NOTES)


def trials_of(imported: Sequence[Imported], told: Told) -> Iterator[Trial]:
    """Yield a trial for each measurement; of a cell that is measured again, each in a family of its own.

    Those of one family and block would be attempts at the same measurement, of which only one counts.
    """
    machine = _machine(imported, told)
    seen: Counter[str] = Counter()
    for number, item in enumerate(imported, start=1):
        for sample in item.samples:
            trial = _trial(sample, told, Path(item.file.name).stem, _log(number) if item.is_kept else None)
            seen[trial.cell] += 1
            again = f"repetition {seen[trial.cell]}" if seen[trial.cell] > 1 else None
            yield replace(trial, machine=machine, family=again)


def _trial(sample: Sample, told: Told, stem: str, log: str | None) -> Trial:
    named = sample.server is not None  # the file names its server: the user's words are for those that do not
    rate = sample.offered_per_s if sample.offered_per_s is not None else told.rate_per_s
    check = _check(sample)
    verdict, reason = _verdict(sample, check)
    trial = Trial(
        cell="",
        server=printable(sample.server or told.server or stem),
        variant=None if named else told.variant,
        threads=None if named else told.threads,
        connections=sample.connections if sample.connections is not None else told.connections,
        mode=told.mode or sample.mode or USUAL_MODE,
        machine="",
        verdict=verdict,
        reason=reason,
        load=sample.load,
        design="paced" if sample.open_loop or rate is not None else None,
        requests=sample.requests,
        duration_us=sample.duration_us,
        requests_per_s=sample.requests_per_s,
        bytes_read=sample.bytes_read,
        errors=sample.errors,
        latency_us=dict(sample.latency_us),
        checks=(check,) if check else (),
        commands=(Command("load", tuple(map(printable, sample.argv)), log),) if sample.argv else (),
        started_at=sample.started_at or told.date,
        offered_per_s=rate,
        request=sample.request,
        pipeline_depth=sample.pipeline_depth if told.pipeline_depth is None else told.pipeline_depth,
    )
    return replace(trial, cell=_cell(trial))


def _cell(trial: Trial) -> str:
    """Return the cell's name, which has what is known of it in it."""
    parts = [
        f"{trial.server}.{trial.variant}" if trial.variant else trial.server,
        f"t{trial.threads}" if trial.threads else "",
        f"c{trial.connections}" if trial.connections else "",
        trial.mode,
        trial.request or "",
        trial.load or "",
    ]
    return "/".join(["imported", *(re.sub(r"[/#\s]+", "-", part) for part in parts if part)])


def _check(sample: Sample) -> Check | None:
    """Return what a program counted as errors, as check V1; None if it did not say."""
    if sample.errors is None:
        return None
    found = ", ".join(_said(sample.errors))
    if not found:
        return Check("V1", "no errors", "pass", "none", "no errors")
    return Check("V1", "no errors", "fail", found, "no errors", ADVICE)


def _said(errors: Errors) -> Iterator[str]:
    words = {"connect": "connect error", "read": "read error", "write": "write error", "timeout": "timeout"}
    yield from (plural(number, word) for kind, word in words.items() if (number := getattr(errors, kind)))
    if errors.status:
        yield f"{plural(errors.status, 'answer')} with a status of an error"


def _verdict(sample: Sample, check: Check | None) -> tuple[Verdict, str | None]:
    if not sample.requests_per_s:
        return "failed", "no request was answered"
    if check is not None and check.outcome == "fail":
        return "invalid", f"{check.id} {check.name}: {check.saw}"
    return "ok", None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-") or "imported"
