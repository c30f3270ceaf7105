"""Two runs that were recorded at different times: whether their circumstances allow to compare them, and the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reports.changes.recorded import change_between, recorded
from reports.changes.slowdowns import judged
from reports.forms.change import Told
from runners.errors import BadInput
from runners.records.folder import read_folder
from runners.run.identity import differences, tool_differences

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from runners.records.run import Run


def compare_runs(old: Path, new: Path, arguments: argparse.Namespace) -> Told:
    """Return the answer that two recorded runs give; BadInput if they have nothing in common."""
    if old.resolve() == new.resolve():
        raise BadInput(f"{old} is one run; name two, or look at it with speedup report")
    one, other = read_folder(old), read_folder(new)
    apart = tuple(why_apart(one.run, other.run))
    change = change_between(recorded(one), recorded(other), apart)
    bounds = tuple(dict.fromkeys(arguments.fail_slower))
    return Told(
        change.old, change.new, change, judged(change, bounds),
        runs=tuple(os.path.relpath(folder) for folder in (old, new)),
        differences=(*apart, *other_tools(one.run, other.run)),
    )  # fmt: skip


def why_apart(old: Run, new: Run) -> Iterator[str]:
    """Yield what forbids to compare the figures of two runs directly: another machine, kernel, network or way."""
    if old.identity is None or new.identity is None:
        yield "it is not recorded on which machine"
        return
    yield from differences(old.identity, new.identity)
    for name, before, after in (
        ("the network", old.identity.network, new.identity.network),
        ("the number of client hosts", _clients(old), _clients(new)),
        ("the length of a trial", old.duration_s, new.duration_s),
    ):
        if before != after:
            yield f"{name} was {before or 'unknown'} and is {after or 'unknown'}"


def _clients(run: Run) -> int | None:
    return run.fleet.clients if run.fleet else None


def other_tools(old: Run, new: Run) -> Iterator[str]:
    """Yield which tools were others, such as compilers and load generators."""
    known = {tool.name for tool in new.tools}
    yield from tool_differences([tool for tool in old.tools if tool.name in known], new.tools)
