"""Notices edits while a run is under way: what is measured must stay what was hashed when the run began.

A file that servers or builds write into their own folder looks like an edited source. So a source that changes while
the servers of its folder are built, examined or measured for the first time is taken for data, which is said; one that
changes later is an edit, and ends the run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runners.errors import RunStopped
from runners.file_hash import file_hash
from runners.matrix.cells import Cell
from runners.records import folder
from runners.records.run import Run
from runners.run.identity import shown, taking_for_data, watched

log = logging.getLogger(__name__)

Stat = tuple[int, int, int, int]


class Edited(RunStopped):
    """What is measured, or measures, was edited during the run."""

    exit_code = 2


class Watch:
    """Files with the hashes that they must have; a file is read again only if it may have changed."""

    def __init__(self, hashes: Mapping[Path, str]) -> None:
        self.hashes = hashes
        self._seen: dict[Path, Stat] = {}

    def changed(self) -> tuple[Path, ...]:
        """Return the files that differ from their hash, or are gone."""
        return tuple(file for file, sha256 in self.hashes.items() if not self._is_same(file, sha256))

    def _is_same(self, file: Path, sha256: str) -> bool:
        try:
            found = file.stat()
            stat = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            if self._seen.get(file) == stat:
                return True
            same = file_hash(file) == sha256
        except OSError:
            return False
        if same:
            self._seen[file] = stat
        return same


class Guard:
    """Watches the files of a run, and keeps its head up to date on which of them are data.

    `fixed` files can be none. `known` are the variants that were measured before.
    """

    def __init__(self, path: Path, root: Path, run: Run, fixed: Iterable[Path] = (), known: Iterable[str] = ()) -> None:
        self.path, self.root, self.run = path, root, run
        self.fixed, self.known = {*fixed}, {*known}
        self.watch = Watch(watched(run, root))

    def settle(self, run: Run) -> Run:
        """Take what builds and gates wrote for data; return the head that says so."""
        self.run = run
        self._take(self.watch.changed())
        return self.run

    def check(self, cells: Iterable[Cell]) -> None:
        """Raise Edited if a file was edited since the last check, during which these cells were measured."""
        changed, new = self.watch.changed(), [cell for cell in cells if cell.program.name not in self.known]
        if changed and new:
            own = {self.root / cell.program.dir for cell in new}
            elsewhere = {self.root / name for name in self.run.files}
            self._take([each for each in changed if each in elsewhere or any(map(each.is_relative_to, own))])
        self._refuse([each for each in changed if each in self.watch.hashes])

    def measured(self, cells: Iterable[Cell]) -> None:
        """Remember that servers have been measured, and so have written what they write."""
        self.known |= {cell.program.name for cell in cells}

    def _take(self, changed: Sequence[Path]) -> None:
        """Take changed files for data; raise Edited for those that can be none."""
        self._refuse([file for file in changed if file in self.fixed])
        if changed:
            what = f"{shown(changed, self.root)} changed while servers were built or first ran, so servers are taken to"
            log.warning(f"{what} write that, and later changes are not looked at; if you edited it, start a new run")
            run = taking_for_data(self.run, self.root, changed)
            self.run = replace(run, notes=(*run.notes, f"{what} write that: it does not count as their source."))
            self.watch.hashes = watched(self.run, self.root)
            folder.write_run(self.path, self.run)

    def _refuse(self, edited: Sequence[Path]) -> None:
        if edited:
            raise Edited(
                f"{shown(edited, self.root)} changed since this run began, and numbers from before and after that"
                " don't belong in one row; start a new run, or undo the change"
            )
