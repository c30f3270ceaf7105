"""Runs the self-test: all cases, with a log message for each."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from runners.errors import BadInput, NothingSelected
from runners.records.scratch import scratch_folder
from runners.selftest.case import CaseResult, Need
from runners.selftest.cases import CASES
from runners.selftest.comparing import NAMES, run_comparisons
from runners.selftest.measuring import CaseRunner, run_case
from runners.system.machine import available_cores, share_cpus
from runners.system.network import enter_user_namespace
from runners.system.processes import end_leftovers, sweep
from runners.tools.find import find_tools, known_tools, this_host, tool_environment

log = logging.getLogger(__name__)

HEALTHY = "healthy"
PATIENCE_S = 30.0  # may go into repeating what noise spoilt; after that, only cases that would fail are repeated


def run_selftest(only: Sequence[str], keep: Path | None) -> tuple[CaseResult, ...]:
    """Run the cases whose names match a glob, or all without globs; raise NothingSelected if none matches."""
    cases = [case for case in CASES if _chosen(case.name, only)]
    names = [name for name in NAMES if _chosen(name, only)]
    if not cases and not names:
        raise NothingSelected(f"no case matches; there are: {', '.join((*(case.name for case in CASES), *NAMES))}")
    sweep()
    results: list[CaseResult] = []
    with _folder(keep) as folder:
        bench = make_bench(folder)
        try:
            for number, case in enumerate(cases):
                results.append(run_case(case, bench, number, patient=_retried_s(results) < PATIENCE_S))
                log.info(line(results[-1]))
            for result in run_comparisons(names, bench):
                results.append(result)
                log.info(line(result))
        finally:
            end_leftovers()
    return tuple(results)


def _retried_s(results: Sequence[CaseResult]) -> float:
    """Return roughly how many seconds went into repeated measurements."""
    return sum(r.seconds * len(r.retried) / (len(r.retried) + 1) for r in results)


def _chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(name, glob) for glob in only)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Create the folder for logs, and delete it afterwards unless it is to be kept."""
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot write into {keep}: {error.strerror}; name another folder with --keep") from error
        yield keep.resolve()
        return
    with scratch_folder("speedup-selftest-") as folder:
        yield folder


def make_bench(folder: Path) -> CaseRunner:
    """Return where the cases run, and what this machine lacks for them."""
    host = this_host()
    tools = find_tools(known_tools(), ["wrk"], host)
    kind = "namespace" if enter_user_namespace() else "host"
    layout = share_cpus(available_cores(), 1)
    lacks: dict[Need, str] = {}
    if not tools["wrk"].found:
        lacks["wrk"] = tools["wrk"].fault
    if kind == "host":
        lacks["namespace"] = "network namespaces are not allowed here"
    if layout.shared:
        lacks["two CPUs"] = "there is only one CPU"
    env = {**os.environ, **tool_environment(tools, host)}
    return CaseRunner(folder, kind, layout, env, lacks, sys.executable)  # type: ignore[arg-type]


def line(result: CaseResult) -> str:
    """Return a result as a line of progress."""
    told = "; ".join(result.reported if result.status == "passed" else result.why) or "nothing was reported"
    return f"{result.status:<7} {result.seconds:5.1f} s  {result.name}: {told}"


def passed(results: Sequence[CaseResult]) -> bool:
    """Return whether every injected fault was caught, and healthy servers, if any were chosen, were clean."""
    healthy = [result.status for result in results if result.name.startswith(HEALTHY)]
    statuses = [result.status for result in results]
    return "passed" in statuses and "failed" not in statuses and (not healthy or "passed" in healthy)
