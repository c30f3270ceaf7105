"""Notices edits while a run is under way: what is measured must stay what was hashed when the run began.

A file that servers or builds write into their own folder looks like an edited source. So a source that changes while
the servers of its folder are built, examined or measured for the first time is taken for data, which is said; one that
changes later is an edit, and ends the run. So does a change of a built program, which lies in the cache: nothing that
runs writes there, unless it is a whole folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

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


def program_edited(name: str, program: Path) -> str:
    """Return what to tell about a built program that is no longer what was built."""
    return (
        f"{program}, built for {name}, was changed or replaced during this run, and numbers from before and after that"
        " don't belong in one row; a resume builds it again"
    )


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

    `fixed` files can be none. `known` are the variants that were measured before. `built` holds the hashes of the files
    of built programs, by variant.
    """

    def __init__(
        self,
        path: Path,
        root: Path,
        run: Run,
        fixed: Iterable[Path] = (),
        known: Iterable[str] = (),
        built: Mapping[str, Mapping[Path, str]] = MappingProxyType({}),
    ) -> None:
        self.path, self.root, self.run = path, root, run
        self.fixed, self.known, self.built = {*fixed}, {*known}, built
        self.here: set[str] = set()
        self.watch = Watch(self._hashes())

    def _hashes(self) -> dict[Path, str]:
        """Return the hash that each file must have."""
        built = {file: sha256 for files in self.built.values() for file, sha256 in files.items()}
        return watched(self.run, self.root) | built

    def settle(self, run: Run) -> Run:
        """Take what builds and gates wrote for data; return the head that says so."""
        self.run = run
        self._take(self.watch.changed())
        return self.run

    def check(self, cells: Iterable[Cell]) -> None:
        """Raise Edited if a file was edited since the last check, during which these cells were measured."""
        if changed := self.watch.changed():
            cells = [*cells]
            self._take([each for each in changed if self._may_be_data(each, cells)])
            self._refuse([each for each in changed if each in self.watch.hashes])

    def _may_be_data(self, file: Path, cells: Iterable[Cell]) -> bool:
        """Return whether one of these cells may have written a file, since it has just been measured the first time.

        A file in a built folder counts from the start of this session, since a folder that changed was built again.
        """
        for cell in cells:
            name = cell.program.name
            if name not in self.known:
                own = file.is_relative_to(self.root / cell.program.dir)
                if own or file in {self.root / each for each in self.run.files}:
                    return True
            if name not in self.here and file in self.built.get(name, ()):
                return True
        return False

    def measured(self, cells: Iterable[Cell]) -> None:
        """Remember that servers have been measured, and so have written what they write."""
        names = {cell.program.name for cell in cells}
        self.known |= names
        self.here |= names

    def _take(self, changed: Sequence[Path]) -> None:
        """Take changed files for data; raise Edited for those that can be none."""
        self._refuse([file for file in changed if file in self.fixed])
        if changed:
            what = f"{shown(changed, self.root)} changed while servers were built or first ran, so servers are taken to"
            log.warning(f"{what} write that, and later changes are not looked at; if you edited it, start a new run")
            run = taking_for_data(self.run, self.root, changed)
            self.run = replace(run, notes=(*run.notes, f"{what} write that: it does not count as their source."))
            self.built = {
                name: {file: sha256 for file, sha256 in of.items() if file not in changed}
                for name, of in self.built.items()
            }
            self.watch.hashes = self._hashes()
            folder.write_run(self.path, self.run)

    def _refuse(self, edited: Sequence[Path]) -> None:
        for name, files in self.built.items():
            if program := next((file for file in edited if file in files), None):
                raise Edited(program_edited(name, program))
        if edited:
            raise Edited(
                f"{shown(edited, self.root)} changed since this run began, and numbers from before and after that"
                " don't belong in one row; start a new run, or undo the change"
            )
