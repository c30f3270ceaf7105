"""One trial: a fresh server, asked once, warmed up, loaded, samples, stopped and judged. A duet: two at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runners.loads import LOADS, LoadJob
from runners.matrix.cells import Cell
from runners.matrix.model import Validity
from runners.plan.order import TOGETHER, Offer, Slot
from runners.records.trial import Trial
from runners.server.probe import Answer
from runners.server.process import HOST, Logs, Programs, ServerProcess, TrialFailed, TrialInvalid, free_port
from runners.stats.histogram import encode
from runners.system import network
from runners.system.machine import Layout
from runners.system.processes import Stopped, end_leftovers
from runners.trial import validity
from runners.trial.duets import with_cost_ratios
from runners.trial.evidence import gather
from runners.trial.loading import Measured, Side, measure_sides

PACED_LOAD = "h2load"


@dataclass(frozen=True)
class Rig:
    """Where the trials of a run happen: its folder, the servers' programs, the CPUs, and a call while waiting.

    Servers listen on `host`; a fleet's master listens on the socket `fleet`, where there is one.
    """

    folder: Path
    programs: Programs
    layouts: Mapping[int, Layout]
    network: network.Kind
    limits: Validity
    ceiling_per_s: float | None = None
    host: str = HOST
    fleet: Path | None = None
    tick: Callable[[], None] = lambda: None


def blanks(cells: Sequence[Cell], slot: Slot) -> tuple[Trial, ...]:
    """Return the records of a slot whose trials have not begun."""
    made = [_blank(cell, slot) for cell in cells]
    if slot.offer:
        made = [_offered(blank, slot.offer) for blank in made]
    if len(made) == 1:
        return tuple(made)
    pair = TOGETHER.join(sorted(cell.id for cell in cells))
    first, second = made
    return (
        replace(first, design="duet", pair=pair, role="first"),
        replace(second, design="duet", pair=pair, role="second"),
    )


def _blank(cell: Cell, slot: Slot) -> Trial:
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
        family=slot.family,
        block=slot.block,
        attempt=slot.attempt,
        position=slot.position,
    )


def _offered(blank: Trial, offer: Offer) -> Trial:
    return replace(
        blank,
        load=PACED_LOAD,
        design=offer.design,
        offered_per_s=offer.rate_per_s,
        capacity_per_s=offer.capacity_per_s,
        fraction=offer.fraction or offer.rate_per_s / offer.capacity_per_s,
        objective=offer.objective.text if offer.objective else None,
    )


def _as_loaded(cell: Cell, slot: Slot) -> Cell:
    """Return the cell with the lengths of a duet, or the generator that can offer a rate.

    The record keeps the cell's own id.
    """
    if slot.offer:
        paced = replace(cell.load, kind=PACED_LOAD, duration_s=slot.offer.duration_s, locustfile=None)
        return replace(cell, load=paced)
    return cell.in_duet if len(slot.cells) > 1 else cell


def measure(cells: Sequence[Cell], slot: Slot, rig: Rig) -> tuple[Trial, ...]:
    """Measure one cell, or two at the same moment; whatever happens, the records say it and nothing is left running."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    records = [replace(record, started_at=now, network=rig.network) for record in blanks(cells, slot)]
    cells = [_as_loaded(cell, slot) for cell in cells]
    try:
        with network.fresh_networks(rig.network, len(cells)) as networks:
            return _measure(cells, records, networks, rig)
    finally:
        end_leftovers()


def _measure(
    cells: Sequence[Cell], records: Sequence[Trial], networks: Sequence[network.Network], rig: Rig
) -> tuple[Trial, ...]:
    """Start the servers, load them and stop them; return the judged records."""
    sides: list[Side] = []
    answers: list[Answer | TrialInvalid] = []
    measured: list[Measured] = []
    failure: TrialFailed | None = None
    afterwards: list[str | None] = [None] * len(cells)
    try:
        for cell, record, where in zip(cells, records, networks, strict=True):
            where.enter()
            sides.append(_side(cell, record, where, rig))
            answers.append(_first_answer(sides[-1].server))
        measured = measure_sides(sides, rig.tick)
        afterwards = [_ask_again(side) for side in sides]
    except TrialFailed as error:
        failure = error
    finally:
        ends = [side.server.stop() for side in sides]
    if failure is not None:
        outcomes = [_broken(record, cell, failure) for record, cell in zip(records, cells, strict=True)]
    else:
        outcomes = [
            judged(record, side, answer, each, after, end, rig)
            for record, side, answer, each, after, end in zip(
                records, sides, answers, measured, afterwards, ends, strict=True
            )
        ]
        outcomes = _together(outcomes)
    return tuple(
        replace(
            outcome,
            commands=(sides[at].server.command, *sides[at].commands) if at < len(sides) else (),
            server_exit=ends[at].exit if at < len(ends) else None,
        )
        for at, outcome in enumerate(outcomes)
    )


def _side(cell: Cell, record: Trial, where: network.Network, rig: Rig) -> Side:
    layout = rig.layouts[cell.threads]
    port = free_port(2 * (record.position or 0) + (record.role == "second"), rig.host)
    logs = _logs(record, rig)
    server = ServerProcess(cell, layout, rig.programs, logs, port, rig.host)
    return Side(
        server=server,
        load=LOADS[cell.load.kind],
        job=_there(_job(cell, layout, port, record.offered_per_s, logs), rig),
        layout=layout,
        network=where,
        env=rig.programs.env,
    )


def _there(job: LoadJob, rig: Rig) -> LoadJob:
    """Return a job with the addresses and paths of a rig."""
    own = job.locustfile and replace(job.locustfile, path=str(rig.programs.root.resolve() / job.locustfile.path))
    return replace(job, host=rig.host, fleet=rig.fleet, locustfile=own)


def _first_answer(server: ServerProcess) -> Answer | TrialInvalid:
    """Return what the server answers before it is loaded.

    A historic exhibit is loaded whatever it answers, as that is what it is shown for; its trials never count.
    """
    try:
        return server.wait_until_ready()
    except TrialInvalid as refusal:
        if server.cell.program.class_ != "historic":
            raise
        return refusal


def _ask_again(side: Side) -> str | None:
    side.network.enter()
    return side.server.fault_afterwards()


def _broken(record: Trial, cell: Cell, failure: TrialFailed) -> Trial:
    """Return the record of a side when one of the sides broke."""
    if failure.cell.id != cell.id:
        return replace(
            record, verdict="invalid", reason=f"its partner {failure.cell.slug} {failure.verdict}: {failure}"
        )
    checks = (failure.check,) if isinstance(failure, TrialInvalid) else ()
    return replace(record, verdict=failure.verdict, reason=str(failure), checks=checks)


def _together(outcomes: Sequence[Trial]) -> list[Trial]:
    """Return a duet's records with their cost ratio; where one side is invalid, so is the comparison."""
    if len(outcomes) == 1:
        return list(outcomes)
    bad = [outcome for outcome in outcomes if outcome.verdict != "ok"]
    if not bad:
        return list(with_cost_ratios(*outcomes))
    why = f"its partner is invalid: {bad[0].reason}"
    return [replace(each, verdict="invalid", reason=why) if each.verdict == "ok" else each for each in outcomes]


def _logs(record: Trial, rig: Rig) -> Logs:
    folder = rig.folder / "logs" / record.cell.replace("/", "-").replace("#", "-")
    folder.mkdir(parents=True, exist_ok=True)
    again = f"-again{record.attempt}" if record.attempt else ""
    beside = f".{record.design}-{record.position}" if record.design != "solo" else ""
    return Logs(rig.folder, folder, f"block{record.block}{again}{beside}")


def _job(cell: Cell, layout: Layout, port: int, rate_per_s: float | None = None, logs: Logs | None = None) -> LoadJob:
    """Return what the load generator has to do; a log that an interrupted trial left behind is removed."""
    if logs is not None:
        logs.file("requests").unlink(missing_ok=True)
    return LoadJob(
        host=HOST,
        port=port,
        path=cell.path,
        mode=cell.mode,
        connections=cell.connections,
        threads=LOADS[cell.load.kind].threads(cell.connections, len(layout.client), cell.load.threads),
        warmup_s=cell.load.warmup_s,
        duration_s=cell.load.duration_s,
        rate_per_s=rate_per_s,
        request_log=logs.file("requests") if logs else None,
        locustfile=cell.load.locustfile,
    )


def load_command(cell: Cell, layout: Layout, port: int = 8080) -> tuple[str, ...]:
    """Return the measured command line; the port stands for those that the trials get."""
    fleet = Path("SOCKET") if cell.load.clients else None
    return LOADS[cell.load.kind].phases(replace(_job(cell, layout, port), fleet=fleet))[-1].argv


def judged(
    record: Trial,
    side: Side,
    answer: Answer | TrialInvalid,
    measured: Measured,
    afterwards: str | None,
    ended: Stopped,
    rig: Rig,
) -> Trial:
    """Return the record with all that was measured, its evidence, checks and verdict."""
    refusal = answer if isinstance(answer, TrialInvalid) else None
    size_bytes = None if isinstance(answer, TrialInvalid) else answer.size_bytes
    evidence = gather(record, side, size_bytes, measured, afterwards, ended, rig.ceiling_per_s)
    checks = ((refusal.check,) if refusal else ()) + validity.judge(evidence, rig.limits)
    failed = [check for check in checks if check.outcome == "fail"]
    result = measured.result
    whole = result.latency and min(result.latency.values()) > 0
    return replace(
        record,
        verdict="invalid" if failed else "ok",
        reason="; ".join(f"{check.id} {check.name}: {check.saw}" for check in failed) or None,
        bound=validity.bound(evidence, rig.limits),
        requests=result.requests,
        duration_us=result.duration_us,
        requests_per_s=result.requests_per_s,
        bytes_read=result.bytes_read,
        connections_opened=evidence.tcp.get("PassiveOpens"),
        errors=result.errors,
        server_cpu_us_per_request=measured.server_cpu_us_per_request,
        client_cpu_us_per_request=measured.client_cpu_us_per_request,
        machine_cpu_us_per_request=None if record.pair else measured.machine_cpu_us_per_request,
        server_cpu_share=evidence.server_share,
        client_cpu_share=evidence.client_share,
        rss_bytes=measured.samples.rss_bytes,
        latency=encode(result.latency) if result.latency and whole else None,
        checks=checks,
        evidence=evidence,
    )
