"""The steps before the first trial: build, examine, and record which cells are measured in which order."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from runners.honesty.examiner import Examiner
from runners.loads.jobs import load_command
from runners.matrix.cells import Cell, Planned
from runners.matrix.model import MODES
from runners.plan import order
from runners.plan.planning import Plan, layouts
from runners.records import folder
from runners.records.run import BuildInfo, CellInfo, Honesty, Run, gate_ids
from runners.run.watching import Edited, program_edited
from runners.server import build_cache, builds
from runners.server.builds import BuildContext
from runners.server.process import Programs
from runners.server.rights import read_only_works
from runners.server.sources import hash_of
from runners.system.machine import Layout, format_cpus

log = logging.getLogger(__name__)


def programs_of(plan: Plan, context: BuildContext) -> Programs:
    """Return where a plan's built servers are."""
    variants = {cell.program.name: cell.program for cell in plan.measurable}
    outputs = {name: builds.program_path(program, context) for name, program in variants.items() if program.build}
    return Programs(plan.root, outputs, context.env, plan.matrix.limits)


def build(plan: Plan, context: BuildContext) -> dict[str, BuildInfo]:
    """Build the variants that can be measured; return the results by variant, and log them."""
    programs = {cell.program.name: cell.program for cell in plan.measurable}
    log.info(f"building {len(programs)} variants (kept in the cache once built)")
    return builds.build_all(programs.values(), context, _log_built)


def _built_files(programs: Programs, broken: Collection[str]) -> dict[str, Mapping[Path, str]]:
    """Return the hash of each file of the built programs, by variant; raise Edited if one is not what was built."""
    found: dict[str, Mapping[Path, str]] = {}
    for name, out in programs.outputs.items():
        if name not in broken:
            files = build_cache.files_of(out.parent)
            if files is None:
                raise Edited(program_edited(name, out))
            found[name] = files
    return found


def started_programs(plan: Plan, programs: Programs) -> tuple[Path, ...]:
    """Return the built programs that start commands run: one may lie in a folder that the build wrote."""
    built = {cell.program.name: cell.program.run[0] for cell in plan.measurable if cell.program.build}
    return tuple(Path(first.replace("{out}", str(programs.outputs[name]))) for name, first in built.items())


SKIPPED = "The honesty gates were skipped: these servers were timed without testing whether they answer honestly."


NOT_READ_ONLY = (
    "read_only has no effect here, since no namespaces for mounts are permitted: servers could write wherever their"
    " user may. Their numbers are not affected."
)


def _with_lost_protection(plan: Plan, run: Run) -> Run:
    """Say, and note, that servers are not read-only although the matrix asks for that."""
    asked = any(cell.program.read_only and cell.program.isolate for cell in plan.measurable)
    if not asked or read_only_works():
        return run
    log.warning(NOT_READ_ONLY)
    return _with_note(run, NOT_READ_ONLY)


def _with_note(run: Run, note: str) -> Run:
    return run if note in run.notes else replace(run, notes=(*run.notes, note))


def prepare(plan: Plan, run: Run, path: Path) -> tuple[Run, Programs]:
    """Build and examine the servers, and record the cells; those whose build or gates failed are marked `failed`.

    Return the run's new head, and where its servers are: determined once, so that edits during the run do no harm.
    """
    hashes = {name: hash_of(files) for name, files in plan.sources.items()}
    context = builds.build_context(plan.root, plan.host, plan.tools, path, plan.matrix.limits, hashes)
    programs = programs_of(plan, context)  # before a build leaves files among the sources
    infos = build(plan, context)
    broken = {name: build_reason(info) for name, info in infos.items() if info.status == "failed"}
    programs = replace(programs, built=_built_files(programs, broken))  # before the gates, which take a while
    honesty = run.honesty or (() if run.skip_gates else _examined(plan, context, programs, broken))
    reasons = _refusals(broken, honesty)
    cells = cell_infos(plan, reasons)
    solos = [cell for cell in plan.solos if _key(cell) not in reasons]
    duets = [duet for duet in plan.duets if not {_key(duet.row), _key(duet.baseline)} & reasons.keys()]
    preset = plan.preset
    families = run.families or order.plan_families(
        solos,
        duets,
        preset.blocks.max,
        plan.seed,
        duet_blocks=preset.duet_blocks.max,
        baselines=plan.baselines,
        fewer=plan.fewer,
    )
    run = replace(run, builds=tuple(infos.values()), honesty=honesty, cells=cells, families=families)
    if run.skip_gates and not honesty:
        run = _with_note(run, SKIPPED)
    run = _with_lost_protection(plan, run)
    folder.write_run(path, run)
    return run, programs


Refusals = Mapping[tuple[str, str], str]  # variant and connection mode: why it is not measured


def _refusals(broken: Mapping[str, str], honesty: Iterable[Honesty]) -> Refusals:
    refusals: dict[tuple[str, str], str] = {}
    for mode in MODES:
        refusals |= {(name, mode): reason for name, reason in broken.items()}
        failed = [each for each in honesty if each.failed_in(mode) and each.class_ != "historic"]
        refusals |= {(each.variant, mode): honesty_reason(each, mode) for each in failed}
    return refusals


def _key(cell: Cell) -> tuple[str, str]:
    return cell.program.name, cell.mode


def _examined(plan: Plan, context: BuildContext, programs: Programs, broken: Mapping[str, str]) -> tuple[Honesty, ...]:
    """Run the gates against each server once; a pass is cached as long as nothing about the server changes."""
    cells = [cell for cell in plan.measurable if cell.program.name not in broken]
    examiner = Examiner(programs, layouts(plan), context.folder, context.tool_versions, plan.host.cache / "honesty")
    log.info("testing each server with the honesty gates (kept in the cache once passed)")
    return examiner.examine(cells, _log_examined)


def _log_examined(honesty: Honesty) -> None:
    if honesty.failed:
        modes = [mode for mode in MODES if honesty.failed_in(mode)]
        where = "" if len(modes) == len(MODES) else f"{modes[0]} connections are not measured: it "
        log.info(f"  {honesty.variant}: {where}{honesty_reason(honesty, modes[0])}")
    elif honesty.broken:
        log.info(f"  {honesty.variant}: is measured, but not ranked: it fails {gate_ids(honesty.broken)}")


def honesty_reason(honesty: Honesty, mode: str) -> str:
    """Return the gates that keep a server from being timed in a connection mode, in a line."""
    first, *others = honesty.failed_in(mode)
    more = f"; also {gate_ids(others)}" if others else ""
    return f"fails the honesty gate '{first.id}': {first.saw}{more}; `speedup check {honesty.variant}` shows all"


def _log_built(info: BuildInfo) -> None:
    if info.status == "built":
        log.info(f"  {info.variant}: built in {info.duration_s:.1f} s")
    elif info.status == "failed":
        log.info(f"  {info.variant}: {build_reason(info)}")


def build_reason(info: BuildInfo) -> str:
    """Return why a build failed, in a line."""
    lines = [line for line in info.output_tail.splitlines() if line.strip()]
    return f"the build failed: {lines[-1] if lines else 'no output'} (see {info.log})"


def cell_infos(plan: Plan, failed: Refusals) -> tuple[CellInfo, ...]:
    """Return the records of a plan's cells; those that were refused are `failed`."""
    layout = layouts(plan)
    return tuple(_cell_info(planned, layout, failed) for planned in plan.cells)


def _cell_info(planned: Planned, layout: Mapping[int, Layout], failed: Refusals) -> CellInfo:
    cell, status, reason = planned.cell, planned.status, planned.reason
    cpus = layout.get(cell.threads)
    broken = failed.get(_key(cell)) if status == "planned" else None
    return CellInfo(
        id=cell.id,
        slug=cell.slug,
        server=cell.program.server,
        variant=cell.program.variant,
        title=f"{cell.program.title} (twin)" if cell.twin else cell.program.title,
        language=cell.program.language,
        class_=cell.program.class_,
        group=cell.program.group,
        threads=cell.threads,
        connections=cell.connections,
        mode=cell.mode,
        request=cell.request.name,
        load=cell.load.kind,
        family=cell.family,
        status="failed" if broken else status,
        reason=broken or reason,
        cpus_server=format_cpus(cpus.server) if cpus else None,
        cpus_client=format_cpus(cpus.client) if cpus and cpus.client else None,
        shared=bool(cpus and cpus.shared),
        load_command=load_command(cell, cpus) if cpus else (),
        twin_of=replace(cell, twin=False).id if cell.twin else None,
    )
