"""One trial: a fresh server, asked once, warmed up, loaded, watched, stopped and judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runners import network, validity
from runners.cells import Cell
from runners.histogram import encode
from runners.loading import Loading, Measured
from runners.loads import LOADS, LoadJob
from runners.machine import Layout
from runners.order import Slot
from runners.probe import Answer
from runners.processes import Stopped, end_leftovers
from runners.records import Check, Trial
from runners.subject import HOST, Logs, Programs, Subject, TrialFailed, TrialInvalid, free_port


@dataclass(frozen=True)
class Workplace:
    """Where the trials of a run happen: its folder, the servers' programs, the CPUs, and a call while waiting."""

    folder: Path
    programs: Programs
    layouts: Mapping[int, Layout]
    network: network.Kind
    tick: Callable[[], None] = lambda: None


def blank(cell: Cell, slot: Slot) -> Trial:
    """Return the record of a trial that has not begun."""
    return Trial(
        cell=cell.id,
        server=cell.program.server,
        variant=cell.program.variant,
        threads=cell.threads,
        connections=cell.connections,
        mode=cell.mode,
        machine=cell.machine,
        verdict="not run",
        load=cell.load.kind,
        design="solo",
        block=slot.block,
        position=slot.position,
    )


def measure(cell: Cell, slot: Slot, place: Workplace) -> Trial:
    """Measure a cell once; whatever happens, the record says it and nothing is left running."""
    started_at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    record = replace(blank(cell, slot), started_at=started_at, network=place.network)
    try:
        with network.trial_network(place.network):
            return _measure(cell, record, place, place.layouts[cell.threads])
    except TrialFailed as error:
        return replace(record, verdict="failed", reason=str(error))
    finally:
        end_leftovers()


def _measure(cell: Cell, record: Trial, place: Workplace, layout: Layout) -> Trial:
    """Start the server, load it and stop it; return the judged record."""
    logs = _logs(cell, record, place)
    subject = Subject(cell, layout, place.programs, logs, free_port(record.position or 0))
    loading = Loading(LOADS[cell.load.kind], _job(cell, layout, subject.port), subject, place.programs.env, place.tick)
    outcome, seen_by = record, None
    try:
        seen_by = (subject.wait_until_ready(), loading.measure())
    except TrialFailed as error:
        outcome = replace(record, verdict="failed", reason=str(error))
    except TrialInvalid as error:
        outcome = replace(record, verdict="invalid", reason=str(error), checks=(_refused(error),))
    finally:
        ended = subject.stop()
    if seen_by is not None:
        outcome = judged(record, cell, layout, *seen_by, ended)
    return replace(outcome, commands=(subject.command, *loading.commands), server_exit=ended.exit)


def _logs(cell: Cell, record: Trial, place: Workplace) -> Logs:
    folder = place.folder / "logs" / cell.id.replace("/", "-").replace("#", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return Logs(place.folder, folder, f"block{record.block}")


def _job(cell: Cell, layout: Layout, port: int) -> LoadJob:
    """Return what the load generator has to do."""
    return LoadJob(
        host=HOST,
        port=port,
        path=cell.path,
        mode=cell.mode,
        connections=cell.connections,
        threads=LOADS[cell.load.kind].threads(cell.connections, len(layout.client), cell.load.threads),
        warmup_s=cell.load.warmup_s,
        duration_s=cell.load.duration_s,
    )


def load_command(cell: Cell, layout: Layout, port: int = 8080) -> tuple[str, ...]:
    """Return the measured command line; the port stands for those that the trials get."""
    return LOADS[cell.load.kind].phases(_job(cell, layout, port))[-1].argv


def judged(record: Trial, cell: Cell, layout: Layout, answer: Answer, measured: Measured, ended: Stopped) -> Trial:
    """Return the record with all that was measured, its checks and its verdict."""
    seen = _seen(cell, layout, answer, measured, ended)
    checks = validity.judge(seen)
    failed = [check for check in checks if check.outcome == "fail"]
    result = measured.result
    countable = result.latency and min(result.latency.values()) > 0
    return replace(
        record,
        verdict="invalid" if failed else "ok",
        reason="; ".join(f"{check.id} {check.name}: {check.saw}" for check in failed) or None,
        bound=validity.bound(seen),
        requests=result.requests,
        duration_us=result.duration_us,
        requests_per_s=result.requests / result.duration_us * 1e6,
        bytes_read=result.bytes_read,
        connections_opened=seen.connections_opened,
        errors=result.errors,
        server_cpu_us_per_request=measured.server_cpu_us_per_request(),
        client_cpu_us_per_request=measured.per_request(result.client_cpu_us),
        machine_cpu_us_per_request=measured.machine_cpu_us_per_request(),
        server_cpu_share=seen.server_share,
        client_cpu_share=seen.client_share,
        rss_bytes=measured.rss_bytes,
        latency=encode(result.latency) if result.latency and countable else None,
        checks=checks,
    )


def _seen(cell: Cell, layout: Layout, answer: Answer, measured: Measured, ended: Stopped) -> validity.Seen:
    result = measured.result
    opened = measured.spent("passive_opens")
    client_threads = _job(cell, layout, 0).threads
    return validity.Seen(
        mode=cell.mode,
        connections=cell.connections,
        asked_s=cell.load.duration_s,
        requests=result.requests,
        served=measured.served,
        duration_us=result.duration_us,
        errors=result.errors,
        histogram_sum=None if result.latency is None else sum(result.latency.values()),
        least_count=None if result.latency is None else min(result.latency.values(), default=0),
        connections_opened=None if opened is None else int(opened),
        bytes_per_request=measured.per_request(result.bytes_read),
        probed_bytes=answer.size_bytes,
        server_share=measured.share(measured.server_cpu_us_per_request(), cell.threads, layout.server),
        client_share=measured.share(measured.per_request(result.client_cpu_us), client_threads, layout.client),
        shared_cpus=layout.shared,
        server_exit_clean=ended.clean,
        server_exit=ended.exit,
    )


def _refused(error: TrialInvalid) -> Check:
    """Return the check that a server fails which does not answer as it is asked."""
    return Check("V0", "answers as asked", "fail", str(error), "status 200, the body, the connection mode")
