"""`speedup verify`: reads run folders whole, and names every line that is not as it was written."""

from __future__ import annotations

from speedup.arguments import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from runners.records.folder import Line
    from runners.records.run import Run
    from runners.records.trial import Trial

DAMAGED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="run folders to read")


def act(arguments: argparse.Namespace) -> int:
    """Print what is wrong with each folder, line by line, and what it holds; return 2 if anything is damaged."""
    return max([_verify(folder) for folder in arguments.runs])


def _verify(folder: Path) -> int:
    from runners.errors import BadInput
    from runners.records.folder import RUN_FILE, TRIALS_FILE, is_damaged, read_lines, read_run
    from runners.records.lines import whole_items
    from runners.units import plural

    try:
        run = read_run(folder)
        lines = list(read_lines(folder))
    except BadInput as error:
        print(error)
        return DAMAGED
    good = [(line.number, line.trial) for line in lines if line.trial is not None]
    trials = [trial for _, trial in good]
    bad = [f"{line.number}: {line.fault}" for line in lines if line.trial is None and not line.torn]
    bad += [f"{number}: {fault}" for number, trial in good for fault in _faults(run, trial)]
    file, head_bad = folder / TRIALS_FILE, is_damaged(folder)
    if head_bad:
        print(f"{folder / RUN_FILE}: its checksum does not match")
    for fault in sorted(bad, key=lambda fault: int(fault.partition(":")[0])):
        print(f"{file}:{fault}")
    halves = whole_items(trials)[1]
    for note in _notes(lines, [good[index][0] for index in halves]):
        print(f"{file}:{note}")
    found = plural(len(bad) + head_bad, "fault") if bad or head_bad else "no fault"
    print(f"{folder}: {plural(len(lines), 'line')}, {len(trials) - len(halves)} of them whole, {found}")
    return DAMAGED if bad or head_bad else 0


def _faults(run: Run, trial: Trial) -> Iterator[str]:
    """Yield what a line says that cannot be, although it can be read."""
    from runners.errors import BadInput
    from runners.stats.histogram import decode

    if trial.latency is not None:
        try:
            decode(trial.latency)
        except BadInput as error:
            yield f"latency: {error}"
    if run.cells and trial.cell not in {cell.id for cell in run.cells}:
        yield f"cell: {trial.cell} is not in run.json"


def _notes(lines: list[Line], halves: list[int]) -> Iterator[str]:
    """Yield what an interruption has left, which counts nowhere and is no damage."""
    yield from (f"{number}: half a duet, which a kill left; it is set aside" for number in halves)
    yield from (f"{line.number}: {line.fault}; it is ignored" for line in lines if line.torn)
