"""The run folder on disk: `run.json`, `trials.jsonl`, `logs/` and `report.html`.

A trial's line is appended and fsynced before the next trial starts. A torn last line (a kill, a full disk) is
ignored when reading and cut off before the next line is appended.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runners.errors import BadInput, DiskFull
from runners.records.run import Run, RunFolder
from runners.records.trial import Trial
from runners.resources import command_line

RUN_FILE = "run.json"
TRIALS_FILE = "trials.jsonl"
LOGS = "logs"
REPORT_FILE = "report.html"
LEAST_FREE_BYTES = 65536

_RUN = TypeAdapter(Run)
_TRIAL = TypeAdapter(Trial)


def to_json(record: Any) -> str:
    """Return a record as one line of JSON, its fields in the order of their declaration."""
    return json.dumps(dataclasses.asdict(record), ensure_ascii=False, separators=(",", ":"))


def read_run(path: Path) -> Run:
    """Read `run.json` of a run folder; raise BadInput if it is missing or malformed."""
    file = path / RUN_FILE
    try:
        return _RUN.validate_json(file.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} is not a run folder: {file.name}: {error.strerror}") from error
    except ValidationError as error:
        raise BadInput(f"{file}: {_first_problem(error)}") from error


def read_trials(path: Path, parse: Callable[[bytes], Trial] = _TRIAL.validate_json) -> tuple[Trial, ...]:
    """Read every complete line of `trials.jsonl`, none if there is no file; raise BadInput for a malformed line."""
    file = path / TRIALS_FILE
    if not file.exists():
        return ()
    trials = []
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                trials.append(parse(line))
            except ValidationError as error:
                raise BadInput(f"{file}:{number}: {_first_problem(error)}") from error
            except (ValueError, TypeError, LookupError) as error:
                raise BadInput(f"{file}:{number}: {error}") from error
    return tuple(trials)


def read_folder(path: Path) -> RunFolder:
    """Read a run folder: its head and all its trials; raise BadInput if either is malformed."""
    return RunFolder(path=path, run=read_run(path), trials=read_trials(path))


def write_run(path: Path, run: Run) -> None:
    """Write `run.json` completely or not at all; raise DiskFull if it cannot be written."""
    replace_file(path / RUN_FILE, json.dumps(dataclasses.asdict(run), ensure_ascii=False, indent=1) + "\n")


def replace_file(file: Path, text: str) -> None:
    """Write `text` under another name, fsync it and rename it to `file`, so that readers never see half of it."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DiskFull(f"cannot write {file}: {error.strerror}; everything recorded so far is kept") from error


def append_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Append one trial, or both trials of a duet, and fsync once; raise DiskFull, with no torn line, if that fails."""
    file = path / TRIALS_FILE
    lines = "".join(to_json(trial) + "\n" for trial in trials).encode()
    if any(trial.verdict == "failed" for trial in trials) and free_bytes(path) < LEAST_FREE_BYTES:
        raise _disk_full(file, os.strerror(errno.ENOSPC))  # the trial may have failed for lack of space
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _append(descriptor, lines)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _disk_full(file, error.strerror) from error


def _disk_full(file: Path, why: str | None) -> DiskFull:
    again = f"{command_line()} run --resume {file.parent}"
    return DiskFull(f"cannot append to {file}: {why}; free some space, then: {again}")


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
