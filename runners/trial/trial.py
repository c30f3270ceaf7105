"""One trial: a fresh server is probed, warmed up, loaded, sampled, stopped and judged. A duet: two at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runners.loads import PACED_LOAD
from runners.loads.base import LoadJob
from runners.loads.by_name import LOADS
from runners.loads.jobs import load_job
from runners.matrix.cells import Cell, LoadSettings
from runners.matrix.model import Validity
from runners.plan.goals import too_much
from runners.plan.order import Checking, Offer, Slot
from runners.records.files import create_file
from runners.records.trial import Bound, Check, Evidence, Part, Trial, Verdict
from runners.server.process import HOST, Logs, Programs, TrialFailed, TrialInvalid, free_port
from runners.stats.histogram import encode
from runners.stats.noise import OF_THE_MACHINE
from runners.stats.steadiness import drift
from runners.system import network
from runners.system.machine import Layout
from runners.system.processes import end_leftovers
from runners.system.sampling import costs_in
from runners.trial import validity
from runners.trial.checking import checked
from runners.trial.duets import cost_log_ratio
from runners.trial.evidence import gather, gather_failed, samples_within
from runners.trial.loading import Measured, Side, load_sides

MIX_FILE = "mix.txt"  # one in each cell's folder: between trials, only the port changes


@dataclass(frozen=True)
class Rig:
    """Where a run's trials take place: its folder, the servers' programs, the CPUs, and what to call while waiting.

    Servers listen on `host`. With a fleet, its master listens on the socket `fleet`.
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
    """Return the records of a slot whose trials were not run."""
    return tuple(record(cell, slot, verdict="not run") for cell in cells)


def record(cell: Cell, slot: Slot, verdict: Verdict, **found: Any) -> Trial:
    """Return the record of one cell of a slot, with further fields from `found`."""
    pair = _pair(slot.cells)
    offer = slot.offer
    return Trial(
        cell=cell.id,
        server=cell.program.server,
        variant=cell.program.variant,
        threads=cell.threads,
        connections=cell.connections,
        mode=cell.mode,
        machine=cell.machine,
        verdict=verdict,
        load=PACED_LOAD if offer else cell.load.kind,
        design=slot.design,
        family=slot.family,
        block=slot.block,
        attempt=slot.attempt,
        position=slot.position,
        pair=pair,
        role=("first" if cell.id == slot.cells[0] else "second") if pair else None,
        offered_per_s=offer.rate_per_s if offer else None,
        capacity_per_s=offer.capacity_per_s if offer else None,
        fraction=offer.share if offer else None,
        objective=offer.objective.text if offer and offer.objective else None,
        **found,
    )


def _pair(cells: Sequence[str]) -> tuple[str, str] | None:
    if len(cells) == 1:
        return None
    first, second = sorted(cells)
    return first, second


def measure(cells: Sequence[Cell], slot: Slot, rig: Rig) -> tuple[Trial, ...]:
    """Measure one cell, or two at the same time; whatever happens is in the records, and nothing is left running."""
    began = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    kind: network.Kind = rig.network if all(cell.program.isolate for cell in cells) else "host"
    try:
        with network.fresh_networks(kind, len(cells)) as networks:
            found = zip(cells, _as_loaded(cells, slot), networks, strict=True)
            sides = [_side(cell, loaded, slot, where, rig) for cell, loaded, where in found]
            failure = _carry_out(sides, slot.checking, rig.tick)
    finally:
        end_leftovers()
    findings = [_finding(side, failure, rig, duet=len(sides) > 1) for side in sides]
    facts = {"started_at": began, "network": kind}
    return tuple(
        _record(cell, slot, finding, _partner(finding, findings), facts)
        for cell, finding in zip(cells, findings, strict=True)
    )


def _carry_out(sides: Sequence[Side], checking: Checking | None, tick: Callable[[], None]) -> TrialFailed | None:
    """Start the servers, put load on them, probe them once more and stop them; return what broke."""
    try:
        for side in sides:
            side.start()
        with checked(sides[0], checking):
            load_sides(sides, tick)
        for side in sides:
            side.ask_again()
    except TrialFailed as failure:
        return failure
    finally:
        for side in sides:
            side.stop()
    return None


def _side(cell: Cell, loaded: Cell, slot: Slot, where: network.Network, rig: Rig) -> Side:
    layout, logs = rig.layouts[cell.threads], _logs(cell, slot, rig)
    where.enter()  # the port must be free in there
    port = cell.program.port or free_port(2 * slot.position + (cell.id != slot.cells[0]), rig.host)
    logs.file("requests").unlink(missing_ok=True)  # what an interrupted trial left behind
    own = loaded.load.locustfile
    job = replace(
        load_job(loaded, layout, port),
        host=rig.host,
        body=_body_file(loaded, logs),
        rate_per_s=slot.offer.rate_per_s if slot.offer else None,
        request_log=logs.file("requests"),
        fleet=rig.fleet,
        locustfile=own and replace(own, path=str(rig.programs.root.resolve() / own.path)),
    )
    job = replace(job, mix=_mix_file(loaded, job, logs))
    return Side(loaded, layout, where, logs, job, rig.programs)


def _body_file(cell: Cell, logs: Logs) -> Path | None:
    """Write the request's body where the generator reads it; None without one."""
    if not cell.request.body:
        return None
    return logs.write("body", cell.request.body)


def _mix_file(cell: Cell, job: LoadJob, logs: Logs) -> Path | None:
    """Write a mix where the generator reads it; None without one."""
    if cell.mix is None:
        return None
    file = logs.folder / MIX_FILE
    with create_file(file) as stream:
        stream.write(LOADS[cell.load.kind].mix_file(cell.mix, job))
    return file.resolve()


def _as_loaded(cells: Sequence[Cell], slot: Slot) -> tuple[Cell, ...]:
    """Return the cells with the times of a duet or of a check, or with the generator that can offer a rate.

    Both of a duet are warmed up for the longer of their times. The records keep the ids of the cells themselves.
    """
    if slot.checking:
        duration_s = slot.checking.duration_s
        return tuple(replace(cell, load=replace(cell.load, duration_s=duration_s)) for cell in cells)
    if slot.offer is None and len(cells) > 1:
        cells = [cell.in_duet for cell in cells]
    warmup_s = _longest_warmup_s(cells) if slot.warmup_s is None else slot.warmup_s
    return tuple(replace(cell, load=_load_of(cell, slot.offer, warmup_s)) for cell in cells)


def _load_of(cell: Cell, offer: Offer | None, warmup_s: float | None) -> LoadSettings:
    if offer is None:
        return replace(cell.load, warmup_s=warmup_s)
    return replace(cell.load, kind=PACED_LOAD, locustfile=None, warmup_s=warmup_s, duration_s=offer.duration_s)


def _longest_warmup_s(cells: Sequence[Cell]) -> float | None:
    """Return the longest warm-up of some cells; None, until all are steady, is longer than any."""
    wanted_s = [cell.load.warmup_s for cell in cells]
    known_s = [each for each in wanted_s if each is not None]
    return max(known_s) if len(known_s) == len(wanted_s) else None


def _logs(cell: Cell, slot: Slot, rig: Rig) -> Logs:
    folder = rig.folder / "logs" / cell.id.replace("/", "-").replace("#", "-")
    folder.mkdir(parents=True, exist_ok=True)
    again = f"-again{slot.attempt}" if slot.attempt else ""
    design = "" if slot.design == "solo" else slot.design
    return Logs(rig.folder, folder, f"block{slot.block}{again}{f'.{design}-{slot.position}' if design else ''}")


@dataclass(frozen=True)
class Finding:
    """The result of one side: its verdict with the reason, its checks and, if it was measured, the evidence."""

    side: Side
    verdict: Verdict
    reason: str | None = None
    checks: tuple[Check, ...] = ()
    bound: Bound | None = None
    evidence: Evidence | None = None

    @property
    def cost_us(self) -> float | None:
        """Return the server's CPU time per request, in microseconds."""
        return self.side.measured.server_cpu_us_per_request if self.side.measured else None


def _finding(side: Side, failure: TrialFailed | None, rig: Rig, *, duet: bool) -> Finding:
    """Judge one side; if either side broke, neither counts."""
    if failure is not None:
        return _broken(side, failure, rig, duet=duet)
    if side.measured is None:
        raise RuntimeError("a side ended without a measurement, and without a failure")
    evidence = gather(side, side.measured, rig.ceiling_per_s, duet=duet)
    checks = ((side.refusal.check,) if side.refusal else ()) + validity.judge(evidence, rig.limits)
    failed = [f"{check.id} {check.name}: {check.saw}" for check in checks if check.outcome == "fail"]
    bound = validity.bound(evidence, rig.limits)
    return Finding(side, "invalid" if failed else "ok", "; ".join(failed) or None, checks, bound, evidence)


def _broken(side: Side, failure: TrialFailed, rig: Rig, *, duet: bool) -> Finding:
    """Return what is known of a side of a broken trial: its evidence, as far as it got, and what that says of noise."""
    evidence = gather_failed(side, side.samples, duet=duet) if side.samples else None
    noise = tuple(check for check in _checked(evidence, rig) if check.id in OF_THE_MACHINE)
    if failure.cell.id != side.cell.id:
        why = f"its partner {failure.cell.slug} ({failure.verdict}): {failure}"
        return Finding(side, "invalid", why, noise, evidence=evidence)
    checks = (failure.check,) if isinstance(failure, TrialInvalid) else ()
    return Finding(side, failure.verdict, str(failure), (*checks, *noise), evidence=evidence)


def _checked(evidence: Evidence | None, rig: Rig) -> tuple[Check, ...]:
    return validity.judge(evidence, rig.limits) if evidence else ()


def _partner(finding: Finding, findings: Sequence[Finding]) -> Finding | None:
    return next((other for other in findings if other is not finding), None)


def _record(cell: Cell, slot: Slot, finding: Finding, partner: Finding | None, facts: Mapping[str, Any]) -> Trial:
    """Return the record of one side; if its partner is invalid, so is this one, since the comparison is."""
    side, verdict, reason = finding.side, finding.verdict, finding.reason
    if verdict == "ok" and partner is not None and partner.verdict != "ok":
        verdict, reason = "invalid", f"its partner is invalid: {partner.reason}"
    warmed_s = side.warmed_s if slot.warmup_s is None else slot.warmup_s
    both_ok = partner is not None and finding.verdict == partner.verdict == "ok"
    return record(
        cell,
        slot,
        verdict,
        **facts,
        reason=reason,
        bound=finding.bound,
        commands=tuple(side.commands),
        server_exit=side.stopped.exit if side.stopped else None,
        cost_log_ratio=cost_log_ratio(finding.cost_us, partner.cost_us) if partner is not None and both_ok else None,
        checks=finding.checks,
        evidence=finding.evidence,
        **(_figures(side.measured, finding.evidence, slot) if side.measured and finding.evidence else {}),
        objective_met=_objective_met(finding, slot),
        start_us=side.started.start_us if side.started else None,
        idle_rss_bytes=side.idle_rss_bytes,
        warmed_us=None if warmed_s is None else round(warmed_s * 1e6),
        steady=side.steady,
        warmup_drift=side.warmup_drift,
    )


def _objective_met(finding: Finding, slot: Slot) -> bool | None:
    """Return whether the offered rate met the objective; None without an objective."""
    if slot.offer is None or slot.offer.objective is None:
        return None
    latency = finding.side.measured.latency if finding.side.measured else None
    return latency is not None and not too_much(finding.checks) and slot.offer.objective.met_by(latency)


def _figures(measured: Measured, evidence: Evidence, slot: Slot) -> dict[str, Any]:
    """Return what was measured, under the names of the record's fields."""
    result = measured.result
    return {
        "requests": result.requests,
        "duration_us": result.duration_us,
        "requests_per_s": result.requests_per_s,
        "bytes_read": result.bytes_read,
        "connections_opened": evidence.tcp.get("PassiveOpens"),
        "errors": result.errors,
        "server_cpu_us_per_request": measured.server_cpu_us_per_request,
        "client_cpu_us_per_request": measured.client_cpu_us_per_request,
        "machine_cpu_us_per_request": None if len(slot.cells) > 1 else measured.machine_cpu_us_per_request,
        "server_switches_per_request": measured.server_switches_per_request,
        "client_switches_per_request": measured.client_switches_per_request,
        "server_cpu_share": evidence.server_share,
        "client_cpu_share": evidence.client_share,
        "rss_bytes": measured.samples.rss_bytes,
        "cost_drift": drift(costs_in(samples_within(measured.samples, evidence.window_us))),
        "latency": encode(measured.latency) if measured.latency else None,
        "parts": tuple(Part(name, sum(found.values()), encode(found)) for name, found in result.parts.items()),
    }
