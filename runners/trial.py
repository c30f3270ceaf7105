"""One trial: a fresh server, asked once, warmed up, loaded, watched, stopped and judged."""

from __future__ import annotations

import datetime
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runners import counters, validity
from runners.cells import Cell
from runners.commands import Words, fill, fill_text
from runners.histogram import encode
from runners.loads import LOADS, LoadFailed, LoadJob, LoadResult, Phase
from runners.machine import Layout, format_cpus
from runners.order import Slot
from runners.probe import Unanswered, port_is_free, probe, wait_until_listening
from runners.processes import Stopped, describe_exit, end_leftovers, start, stop
from runners.records import Check, Command, Trial

HOST = "127.0.0.1"
PORTS = range(18080, 18999)
READY_TIMEOUT_S = 10.0
SAMPLE_S = 0.1
TAIL_BYTES = 2000

Tick = Callable[[], None]


@dataclass(frozen=True)
class Workplace:
    """Where and how the trials of a run happen: folders, the programs' environment, and a call while waiting."""

    folder: Path
    base: Path
    env: Mapping[str, str]
    outputs: Mapping[str, Path]
    layouts: Mapping[int, Layout]
    tick: Tick = lambda: None


class TrialFailed(Exception):
    """The trial has no number; the text says what broke."""


class TrialInvalid(Exception):
    """The trial must not be measured; the text says what the server does wrong."""


@dataclass(frozen=True)
class Measured:
    """What a measured phase gave: the generator's result and the kernel's counters around it."""

    result: LoadResult
    before: counters.Counters
    after: counters.Counters
    rss_bytes: int | None


def measure(cell: Cell, slot: Slot, place: Workplace) -> Trial:
    """Measure a cell once; whatever happens, the record says it and nothing is left running."""
    trial = _Trial(cell, slot, place)
    record = Trial(
        cell=cell.id,
        server=cell.program.server,
        variant=cell.program.variant,
        threads=cell.threads,
        connections=cell.connections,
        mode=cell.mode,
        machine=cell.machine,
        verdict="ok",
        load=cell.load.kind,
        design="solo",
        block=slot.block,
        position=slot.position,
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
    )
    try:
        return trial.run(record)
    finally:
        end_leftovers()


class _Trial:
    """The steps of one trial, in order; holds only what a step must hand to the next."""

    def __init__(self, cell: Cell, slot: Slot, place: Workplace) -> None:
        self.cell, self.place = cell, place
        self.layout = place.layouts[cell.threads]
        self.port = free_port(slot.position)
        self.load = LOADS[cell.load.kind]
        self.logs = place.folder / "logs" / cell.id.replace("/", "-").replace("#", "-")
        self.stem = f"block{slot.block}"
        self.commands: list[Command] = []

    def run(self, record: Trial) -> Trial:
        """Start, measure and stop the server; return the judged record."""
        self.logs.mkdir(parents=True, exist_ok=True)
        server: subprocess.Popen[bytes] | None = None
        try:
            server = self._start_server()
            self._until_ready(server)
            measured: Measured | None = self._measure(server)
        except TrialFailed as error:
            outcome = replace(record, verdict="failed", reason=str(error))
            measured = None
        except TrialInvalid as error:
            outcome = replace(record, verdict="invalid", reason=str(error), checks=(_refused(error),))
            measured = None
        finally:
            ended = stop(server) if server is not None else None
        if measured is not None and ended is not None:
            outcome = self._judged(record, measured, ended)
        return replace(outcome, commands=tuple(self.commands), server_exit=ended.exit if ended else None)

    def _start_server(self) -> subprocess.Popen[bytes]:
        program = self.cell.program
        words = self._words()
        if program.config is not None:
            template = (words.dir / program.config).read_text(encoding="utf-8")
            words.config.write_text(fill_text(template, words), encoding="utf-8")
        argv = fill(program.run, words)
        env = {**self.place.env, **{name: fill_text(text, words) for name, text in program.env.items()}}
        log = self._log("server")
        self._note("server", argv, log, self.layout.server)
        with log.open("wb") as output:
            try:
                return start(argv, output=output, cpus=self.layout.server, env=env, cwd=words.dir)
            except OSError as error:
                raise TrialFailed(f"cannot start {argv[0]}: {error.strerror}") from error

    def _words(self) -> Words:
        program = self.cell.program
        folder = self.place.base / program.dir
        return Words(
            dir=folder,
            out=self.place.outputs.get(program.name, folder),
            work=self.logs,
            config=self.logs / f"{self.stem}.config",
            host=HOST,
            port=self.port,
            threads=self.cell.threads,
            flags=program.flags,
        )

    def _until_ready(self, server: subprocess.Popen[bytes]) -> None:
        """Wait until the server itself listens, then ask it once."""
        if not wait_until_listening(HOST, self.port, lambda: server.poll() is None, READY_TIMEOUT_S):
            raise TrialFailed(self._why_silent(server))
        if server.poll() is not None:
            raise TrialFailed(self._why_silent(server))
        if not counters.listens(server.pid, self.port):
            raise TrialFailed(f"port {self.port} is answered by another process, not by this server")
        body = self.cell.body.encode()
        try:
            probe(HOST, self.port, self.cell.path, self.cell.mode, body)  # type: ignore[arg-type]
        except Unanswered as error:
            raise TrialInvalid(str(error)) from error

    def _why_silent(self, server: subprocess.Popen[bytes]) -> str:
        code = server.poll()
        if code is None:
            return f"does not listen on port {self.port} within {READY_TIMEOUT_S:g} s{self._last_words()}"
        return f"ended with {describe_exit(code)} before it listened{self._last_words()}"

    def _last_words(self) -> str:
        """Return the end of the server's output, to stand behind a reason."""
        tail = tail_of(self._log("server"))
        return f"; its last words: {tail}" if tail else "; it printed nothing"

    def _measure(self, server: subprocess.Popen[bytes]) -> Measured:
        job = self._job()
        *warmups, measured = self.load.phases(job)
        for phase in warmups:
            self._run_phase(phase, server)
        before = counters.read_counters(server.pid)
        rss = self._run_phase(measured, server)
        after = counters.read_counters(server.pid)
        output = self._log(measured.purpose).read_text(encoding="utf-8", errors="replace")
        try:
            result = self.load.parse(output, job)
        except LoadFailed as error:
            raise TrialFailed(f"{error}; see {self._log(measured.purpose).name}: {output[-300:].strip()}") from error
        if result.requests == 0:
            raise TrialFailed("the server answered no request within the measured time")
        return Measured(result, before, after, rss)

    def _job(self) -> LoadJob:
        cell = self.cell
        return LoadJob(
            host=HOST,
            port=self.port,
            path=cell.path,
            mode=cell.mode,  # type: ignore[arg-type]
            connections=cell.connections,
            threads=self.load.threads(cell.connections, len(self.layout.client), cell.load.threads),
            warmup_s=cell.load.warmup_s,
            duration_s=cell.load.duration_s,
        )

    def _run_phase(self, phase: Phase, server: subprocess.Popen[bytes]) -> int | None:
        """Run one command of the generator to its end; return the server's largest resident memory in bytes."""
        log = self._log(phase.purpose)
        self._note(phase.purpose, phase.argv, log, self.layout.client)
        with log.open("wb") as output:
            try:
                client = start(phase.argv, output=output, cpus=self.layout.client, env=self.place.env)
            except OSError as error:
                raise TrialFailed(f"cannot start {phase.argv[0]}: {error.strerror}") from error
        try:
            return self._watch(phase, client, server)
        finally:
            stop(client)

    def _watch(self, phase: Phase, client: subprocess.Popen[bytes], server: subprocess.Popen[bytes]) -> int | None:
        began = time.monotonic()
        largest: int | None = None
        while not _ended(client, self._patience(phase, began)):
            if server.poll() is not None:
                raise TrialFailed(self._death(server, time.monotonic() - began))
            elapsed = time.monotonic() - began
            if phase.stop_after_s is not None and elapsed >= phase.stop_after_s:
                stop(client)
                break
            if elapsed > phase.limit_s:
                raise TrialFailed(f"{phase.argv[0]} did not end within {phase.limit_s:g} s")
            largest = max(filter(None, (largest, counters.tree_rss_bytes(server.pid))), default=None)
            self.place.tick()
        if server.poll() is not None:
            raise TrialFailed(self._death(server, time.monotonic() - began))
        if phase.stop_after_s is None and client.returncode != 0:
            output = tail_of(self._log(phase.purpose))
            raise TrialFailed(f"{phase.argv[0]} ended with {describe_exit(client.returncode)}: {output}")
        return largest

    def _patience(self, phase: Phase, began: float) -> float:
        """Return how long to wait before looking again: a sample's interval, or less before an early stop."""
        if phase.stop_after_s is None:
            return SAMPLE_S
        return max(0.0, min(SAMPLE_S, began + phase.stop_after_s - time.monotonic()))

    def _death(self, server: subprocess.Popen[bytes], after_s: float) -> str:
        how = describe_exit(server.returncode)
        return f"the server died ({how}) {after_s:.1f} s into the load{self._last_words()}"

    def _judged(self, record: Trial, measured: Measured, ended: Stopped) -> Trial:
        seen = self._seen(measured, ended)
        checks = validity.judge(seen)
        failed = [check for check in checks if check.outcome == "fail"]
        result = measured.result
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
            server_cpu_us_per_request=_per(_between(measured, "server_cpu_us"), result.requests),
            client_cpu_us_per_request=_per(result.client_cpu_us, result.requests),
            machine_cpu_us_per_request=_per(_between(measured, "machine_busy_us"), result.requests),
            server_cpu_share=seen.server_share,
            client_cpu_share=seen.client_share,
            rss_bytes=measured.rss_bytes,
            latency=encode(result.latency) if result.latency and min(result.latency.values()) > 0 else None,
            checks=checks,
        )

    def _seen(self, measured: Measured, ended: Stopped) -> validity.Seen:
        result, job = measured.result, self._job()
        opened = _between(measured, "passive_opens")
        return validity.Seen(
            mode=self.cell.mode,
            connections=self.cell.connections,
            asked_s=self.cell.load.duration_s,
            requests=result.requests,
            duration_us=result.duration_us,
            errors=result.errors,
            histogram_sum=sum(result.latency.values()) if result.latency is not None else None,
            least_count=min(result.latency.values(), default=0) if result.latency is not None else None,
            connections_opened=None if opened is None else int(opened),
            bytes_per_request=_per(result.bytes_read, result.requests),
            probed_bytes=None,
            server_share=_share(_between(measured, "server_cpu_us"), result, self.cell.threads, self.layout.server),
            client_share=_share(result.client_cpu_us, result, job.threads, self.layout.client),
            shared_cpus=self.layout.shared,
            server_exit_clean=ended.clean,
            server_exit=ended.exit,
        )

    def _log(self, purpose: str) -> Path:
        return self.logs / f"{self.stem}.{purpose}.txt"

    def _note(self, purpose: str, argv: tuple[str, ...], log: Path, cpus: tuple[int, ...]) -> None:
        """Remember a command line for the record."""
        where = str(log.relative_to(self.place.folder))
        self.commands.append(Command(purpose, argv, where, format_cpus(cpus)))  # type: ignore[arg-type]


def free_port(position: int) -> int:
    """Return a port that nobody listens on; consecutive trials get different ones, apart from old connections."""
    for step in range(len(PORTS)):
        port = PORTS[(position + step) % len(PORTS)]
        if port_is_free(HOST, port):
            return port
    raise TrialFailed(f"no free port between {PORTS.start} and {PORTS.stop - 1}")


def tail_of(file: Path) -> str:
    """Return the last bytes of a file as one line of text; empty where there is none."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(line.strip() for line in lines[-5:] if line.strip())


def _ended(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _refused(error: TrialInvalid) -> Check:
    return Check("V0", "answers as asked", "fail", str(error), "status 200, the body, the connection mode", "")


def _between(measured: Measured, name: str) -> float | None:
    before, after = getattr(measured.before, name), getattr(measured.after, name)
    return None if before is None or after is None else after - before


def _per(total: float | None, requests: int) -> float | None:
    return None if total is None else total / requests


def _share(cpu_us: float | None, result: LoadResult, threads: int, cpus: tuple[int, ...]) -> float | None:
    """Return the part of the CPU time it could have used, with so many threads on so many CPUs."""
    return None if cpu_us is None else cpu_us / (result.duration_us * min(threads, len(cpus)))
