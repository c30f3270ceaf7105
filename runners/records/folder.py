"""The run folder on disk: `run.json`, `trials.jsonl`, `logs/` and `report.html`.

An item, one trial or both trials of a duet, is appended and fsynced at once, before the next one starts. A torn last
line (a kill, a full disk) is ignored when reading and cut off before the next item is appended. Half a duet and lines
that are damaged are set aside: they count nowhere, and what they held is measured again.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runners.errors import BadInput, DiskFull
from runners.records.files import open_to_append, open_to_read, replace_file, sync_folder
from runners.records.lines import BadLine, head_fault, opened, sealed, sealed_head, separated, whole_items
from runners.records.run import Run, RunFolder
from runners.records.trial import Trial
from runners.resources import resume_line

log = logging.getLogger(__name__)

RUN_FILE = "run.json"
TRIALS_FILE = "trials.jsonl"
LOGS = "logs"
REPORT_FILE = "report.html"
LEAST_FREE_BYTES = 65536
MOST_LINE_BYTES = 64 << 20  # of a trial; the largest histogram and an hour of samples take a tenth of this
MOST_HEAD_BYTES = 256 << 20  # of run.json; a plan of 10,000 cells and 100 blocks takes a quarter of this
MOST_NAMED = 5  # damaged lines that one warning names

_RUN = TypeAdapter(Run)
_TRIAL = TypeAdapter(Trial)


def to_json(record: Any) -> str:
    """Return a record as one line of JSON, its fields in the order of their declaration."""
    return json.dumps(dataclasses.asdict(record), ensure_ascii=False, separators=(",", ":"))


def to_line(trial: Trial) -> bytes:
    """Return a trial as a line of `trials.jsonl`, with its checksum."""
    return sealed(to_json(trial))


def read_run(path: Path) -> Run:
    """Read `run.json` of a run folder; raise BadInput if it is missing or malformed."""
    file = path / RUN_FILE
    try:
        with open_to_read(file) as stream:
            data = stream.read(MOST_HEAD_BYTES)
        run = _RUN.validate_json(data)
    except OSError as error:
        raise BadInput(f"{path} is not a run folder: {file.name}: {error.strerror}") from error
    except ValidationError as error:
        raise BadInput(f"{file}: {_first_problem(error)}") from error
    if fault := head_fault(data):
        log.warning(f"{file}: {fault}: it is damaged or was edited, and so may say what never was")
    return run


def is_damaged(path: Path) -> bool:
    """Return whether `run.json` is not as it was written."""
    return bool(head_fault((path / RUN_FILE).read_bytes()))


@dataclass(frozen=True)
class Line:
    """A line of `trials.jsonl` as it was read: its trial, or what is wrong with it.

    A line whose checksum is right but which cannot be read is `foreign`: another version wrote it. The last line is
    `torn` if it does not end.
    """

    number: int
    trial: Trial | None = None
    fault: str = ""
    foreign: bool = False
    torn: bool = False


def read_lines(path: Path, parse: Callable[[bytes], Trial] = _TRIAL.validate_json) -> Iterator[Line]:
    """Yield every line of `trials.jsonl`, be it good or bad; none if there is no file."""
    file = path / TRIALS_FILE
    if not file.exists():
        return
    try:
        with open_to_read(file) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE_BYTES), b""), start=1):
                if line.endswith(b"\n"):
                    yield from (_read_line(number, part, parse) for part in separated(line))
                else:
                    long = len(line) == MOST_LINE_BYTES
                    yield Line(number, fault="it is too long" if long else "it does not end", torn=not long)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}") from error


def _read_line(number: int, line: bytes, parse: Callable[[bytes], Trial]) -> Line:
    try:
        record = opened(line)
    except BadLine as error:
        return Line(number, fault=str(error))
    try:
        return Line(number, parse(record))
    except ValidationError as error:
        return Line(number, fault=_first_problem(error), foreign=record != line)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return Line(number, fault=str(error), foreign=record != line)


def read_trials(path: Path) -> tuple[Trial, ...]:
    """Read the trials of a run folder, none if there is no file: those of whole items, from lines that are as written.

    A warning counts the lines that are damaged. Raise BadInput for a line that another version wrote.
    """
    return _read_trials(path, _TRIAL.validate_json)[0]


def _read_trials(path: Path, parse: Callable[[bytes], Trial]) -> tuple[tuple[Trial, ...], int]:
    """Return the trials as well as how many lines are damaged."""
    trials, damaged = [], []
    for line in read_lines(path, parse):
        if line.trial is not None:
            trials.append(line.trial)
        elif line.foreign:
            raise BadInput(f"{path / TRIALS_FILE}:{line.number}: {line.fault}")
        elif not line.torn:
            damaged.append(line.number)
    if damaged:
        _warn(path, damaged)
    return whole_items(trials)[0], len(damaged)


def _warn(path: Path, damaged: Sequence[int]) -> None:
    named = ", ".join(map(str, damaged[:MOST_NAMED])) + (", ..." if len(damaged) > MOST_NAMED else "")
    several = len(damaged) > 1
    log.warning(
        f"{path / TRIALS_FILE}: {len(damaged)} damaged line{'s are' if several else ' is'} left out ({named});"
        " `speedup verify` says why, `speedup run --resume` measures again what they held"
    )


def read_folder(path: Path, parse: Callable[[bytes], Trial] = _TRIAL.validate_json) -> RunFolder:
    """Read a run folder: its head and all its trials; raise BadInput if either is malformed."""
    run = read_run(path)
    trials, damaged = _read_trials(path, parse)
    return RunFolder(path, run, trials, damaged, is_damaged(path))


def write_run(path: Path, run: Run) -> None:
    """Write `run.json` completely or not at all; raise DiskFull if it cannot be written."""
    replace_file(path / RUN_FILE, sealed_head(json.dumps(dataclasses.asdict(run), ensure_ascii=False, indent=1)))


def append_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Append one item, a trial or both of a duet, and fsync once; raise DiskFull, with no torn line, if that fails."""
    file = path / TRIALS_FILE
    lines = b"".join(map(to_line, trials))
    if any(trial.verdict == "failed" for trial in trials) and free_bytes(path) < LEAST_FREE_BYTES:
        raise _disk_full(file, os.strerror(errno.ENOSPC))  # the trial may have failed for lack of space
    created = not file.exists()
    try:
        descriptor = open_to_append(file)
        try:
            _append(descriptor, lines)
        finally:
            os.close(descriptor)
        if created:
            sync_folder(path)
    except OSError as error:
        raise _disk_full(file, error.strerror) from error


def _disk_full(file: Path, why: str | None) -> DiskFull:
    return DiskFull(f"cannot append to {file}: {why}; free some space, then: {resume_line(file.parent)}")


def free_bytes(path: Path) -> int:
    """Return how many bytes can still be written to the file system that a folder is on."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _append(descriptor: int, lines: bytes) -> None:
    """Write lines after the last complete one and fsync; on failure, truncate the file to that line again."""
    end = _end_of_last_line(descriptor)
    os.ftruncate(descriptor, end)
    try:
        _write_all(descriptor, lines, end)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _end_of_last_line(descriptor: int) -> int:
    """Return the offset after the last newline; anything beyond it is a torn line."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
