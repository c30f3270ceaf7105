"""Checks that the folders that a matrix names exist, with the templates of config files. Only reads the file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runners.matrix.inheritance import inherits
from runners.matrix.mistakes.problems import Path_, Problem, closest
from runners.matrix.model import Matrix, Server


def missing_folders(matrix: Matrix, root: Path) -> Iterator[Problem]:
    """Yield the folders and templates that are named but missing; `root` is the folder of the matrix."""
    for index, written in enumerate(matrix.suite.published):
        if not (root / written).is_dir():
            hint = _near(root / written, written, folders=True)
            yield Problem(("suite", "published", index), f"the published run {written} does not exist", hint)
    for name, server in matrix.server.items():
        if server.unavailable is None and not _reported_elsewhere(server, matrix):
            yield from _problems(name, server, root)


def _reported_elsewhere(server: Server, matrix: Matrix) -> bool:
    """Return whether the folder and the template are those of a server that is checked itself."""
    servers = matrix.server
    shared = server.dir is not None and inherits(server, servers, "dir", "config")
    return shared and servers[server.like or ""].unavailable is None


def _problems(name: str, server: Server, root: Path) -> Iterator[Problem]:
    path: Path_ = ("server", name)
    written = server.dir or f"servers/{name}"
    try:
        yield from _lacking(path, written, server.config, root / written)
    except OSError as error:  # a folder above it may not be entered
        yield Problem((*path, "dir"), f"the folder of '{name}', {written}: {error.strerror}")


def _lacking(path: Path_, written: str, config: str | None, folder: Path) -> Iterator[Problem]:
    if not folder.is_dir():
        lacks = "is a file" if folder.exists() else "does not exist"
        hint = _near(folder, written, folders=True) or "set 'dir' to the folder in which its commands run"
        yield Problem((*path, "dir"), f"the folder of '{path[-1]}', {written}, {lacks}", hint)
    elif config is not None and not (folder / config).is_file():
        said = f"the template of '{path[-1]}', {config}, is not in {written}"
        yield Problem((*path, "config"), said, _near(folder / config, config, folders=False))


def _near(missing: Path, written: str, *, folders: bool) -> str | None:
    """Return "did you mean ...?" with the folder or file beside the missing one whose name resembles its name."""
    if not missing.parent.is_dir():
        return None
    beside = [each.name for each in missing.parent.iterdir() if each.is_dir() == folders]
    near = closest(missing.name, beside)
    return near.replace("'", f"'{written.removesuffix(missing.name)}", 1) if near else None
