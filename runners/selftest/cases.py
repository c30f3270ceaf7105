"""The cases of the self-test: what is injected, and which check must catch it. Only data."""

from __future__ import annotations

from runners.records.trial import Trial
from runners.selftest.case import Case, Expect, Fact
from runners.selftest.injecting import clock_steps_s, few_ports, neighbour, reading, stolen_us
from runners.stats.histogram import decode, mean_us
from runners.trial.validity.cpu import little

SLEEP_MS, SLEEPERS = 8.0, 8
BURN_MS = 0.5


def _fault(name: str) -> tuple[str, ...]:
    return ("server.py", f"--fault={name}")


def _mean_ms(trial: Trial) -> float | None:
    mean = mean_us(decode(trial.latency)) if trial.latency else None
    return None if mean is None else mean / 1000


def _max_ms(trial: Trial) -> float | None:
    return max(decode(trial.latency)) / 1000 if trial.latency else None


def _rate_per_s(trial: Trial) -> float | None:
    return trial.requests_per_s


def _cost_us(trial: Trial) -> float | None:
    return trial.server_cpu_us_per_request


def _little(trial: Trial) -> float | None:
    return little(trial.evidence) if trial.evidence else None


def _errors_percent(trial: Trial) -> float | None:
    return 100 * trial.errors.status / trial.requests if trial.errors and trial.requests else None


def _died_at_s(trial: Trial) -> float | None:
    words = (trial.reason or "").split()
    return float(words[words.index("s") - 1]) if "s" in words else None


HEALTHY = (
    Case("healthy", "a healthy server, persistent connections", "ok", needs=("wrk",)),
    Case(
        "healthy, closing",
        "a healthy server, one request per connection",
        "ok",
        mode="non-persistent",
        needs=("wrk", "namespace"),
    ),
    Case("healthy, fake generator", "a healthy server, an honest generator", "ok", load="fake-none"),
    Case(
        "fixed service time",
        f"{SLEEP_MS:g} ms per request, {SLEEPERS} connections",
        "ok",
        server=("sleeper.py", f"--sleep-ms={SLEEP_MS:g}"),
        connections=SLEEPERS,
        needs=("wrk",),
        facts=(
            Fact("mean latency", _mean_ms, SLEEP_MS, SLEEP_MS * 1.15, " ms"),
            Fact("rate", _rate_per_s, SLEEPERS / SLEEP_MS * 1000 * 0.85, SLEEPERS / SLEEP_MS * 1000, "/s"),
            Fact("rate x latency / connections", _little, 0.95, 1.02),
        ),
    ),
    Case(
        "fixed CPU cost",
        f"{BURN_MS:g} ms of CPU time per request, in threads that end with their connections",
        "ok",
        server=("sleeper.py", f"--burn-ms={BURN_MS:g}"),
        connections=4,
        needs=("wrk",),
        facts=(Fact("server CPU per request", _cost_us, BURN_MS * 1000, BURN_MS * 1000 * 1.2, " us"),),
    ),
)

ANSWERS = (
    Case(
        "errors",
        "status 500 for 1 % of the requests",
        "invalid",
        (Expect("V1"),),
        server=_fault("errors"),
        needs=("wrk",),
        facts=(Fact("errors", _errors_percent, 0.9, 1.1, " %"),),
    ),
    Case("unrequested answers", "two answers to each request", "invalid", (Expect("V0"),), server=_fault("unasked")),
    Case(
        "unrequested answers under load",
        "two answers to each request, once there is load",
        "invalid",
        (Expect("V2"), Expect("V3")),
        ("V20",),
        server=_fault("unasked-later"),
        needs=("wrk", "namespace"),
    ),
    Case(
        "lying Content-Length",
        "Content-Length 9 bytes too long",
        "invalid",
        (Expect("V0"),),
        server=_fault("lying"),
    ),
    Case(
        "Content-Length too short under load",
        "1 % of the answers are longer than they say",
        "invalid",
        (Expect("V1"),),
        ("V3", "V4", "V20"),
        server=_fault("too-short-later"),
        needs=("wrk",),
    ),
    Case(
        "Content-Length too long under load",
        "1 % of the answers are shorter than they say: connections wait for ever",
        "invalid",
        (Expect("V10"),),
        ("V20",),
        server=_fault("too-long-later"),
        needs=("wrk",),
    ),
    Case(
        "longer body under load",
        "a body that is longer than the probed one",
        "invalid",
        (Expect("V24"),),
        ("V20",),
        server=_fault("longer-later"),
        needs=("wrk",),
    ),
    Case(
        "wrong body under load",
        "a body of the same length that stays wrong",
        "invalid",
        (Expect("V20"),),
        server=_fault("other-later"),
        needs=("wrk",),
    ),
    Case(
        "wrong body only under load",
        "a body of the same length that is wrong only under load",
        "ok",
        server=_fault("other-meanwhile"),
        needs=("wrk",),
        blind=True,
    ),
)

CONNECTIONS = (
    Case("closes unannounced", "closes without the header", "invalid", (Expect("V0"),), server=_fault("closes")),
    Case(
        "closes unannounced when asked to",
        "closes when asked to, without the header: wrk counts a read error after each answer",
        "ok",
        (Expect("V1", "warn"),),
        server=_fault("closes"),
        mode="non-persistent",
    ),
    Case(
        "closes unannounced under load",
        "closes after every fiftieth answer, without the header",
        "invalid",
        (Expect("V1"), Expect("V4", "warn")),
        ("V3",),
        server=_fault("closes-later"),
        needs=("wrk",),
    ),
    Case(
        "closes under load",
        "closes after every twentieth answer, with the header",
        "ok",
        (Expect("V4", "warn"),),
        ("V3", "V20"),  # the request after the load may be a twentieth one
        server=_fault("says-close"),
        needs=("wrk",),
    ),
    Case(
        "ignores close",
        "keeps connections that it is asked to close",
        "invalid",
        (Expect("V0"),),
        server=_fault("ignores-close"),
        mode="non-persistent",
    ),
    Case(
        "refuses",
        "closes everything 0.7 s after the first request",
        "invalid",
        (Expect("V1"),),
        ("V4", "V6", "V10", "V20"),
        server=_fault("refuses"),
        needs=("wrk",),
    ),
    Case(
        "ports exhausted",
        "600 client ports, one request per connection",
        "invalid",
        (Expect("V1"), Expect("V7")),
        ("V12", "V20"),
        server=_fault("closes-last"),
        mode="non-persistent",
        warmup_s=0.0,
        needs=("wrk", "namespace"),
        inject=few_ports(30000, 30599),
    ),
    Case(
        "full accept queue",
        "room for two waiting connections, one accepted every 50 ms",
        "invalid",
        (Expect("V5"),),
        ("V4", "V6", "V10"),
        server=_fault("accepts-slowly"),
        connections=16,
        warmup_s=0.0,
        needs=("wrk", "namespace"),
    ),
    Case(
        "segments lost",
        "one in a hundred segments is dropped",
        "invalid",
        (Expect("V6"),),
        ("V3", "V12"),
        server=_fault("loses"),
        needs=("wrk", "namespace"),
    ),
)

HEALTH = (
    Case(
        "stall",
        "no answer for 0.5 s in the middle of 3 s",
        "invalid",
        (Expect("V13"),),
        server=_fault("stall"),
        duration_s=3.0,
        needs=("wrk", "namespace"),
        facts=(Fact("highest latency", _max_ms, 495, 650, " ms"),),
    ),
    Case(
        "leaking memory",
        "50 MiB more every second",
        "ok",
        (Expect("V20", "warn"),),
        server=_fault("leaks"),
        needs=("wrk",),
    ),
    Case(
        "starting processes",
        "two more processes under load",
        "ok",
        (Expect("V20", "warn"),),
        server=_fault("spawns"),
        needs=("wrk",),
    ),
    Case(
        "losing a process",
        "one of two processes is killed under load",
        "invalid",
        (Expect("V20"),),
        server=_fault("loses-worker"),
        needs=("wrk",),
    ),
    Case(
        "dying",
        "SIGSEGV 0.8 s after the first request",
        "failed",
        reason="the server died (SIGSEGV)",
        server=_fault("dies"),
        needs=("wrk",),
        facts=(Fact("died", _died_at_s, 0.4, 0.9, " s into the load"),),
    ),
    Case(
        "not stopping",
        "ignores SIGINT and SIGTERM",
        "ok",
        (Expect("V20", "warn"),),
        server=_fault("stubborn"),
        needs=("wrk",),
        facts=(),
    ),
    Case(
        "affinity escaped",
        "uses all CPUs",
        "invalid",
        (Expect("V21"),),
        server=_fault("escapes"),
        needs=("wrk", "two CPUs"),
    ),
    Case(
        "too few requests",
        "0.15 s per request",
        "invalid",
        (Expect("V12"),),
        server=("sleeper.py", "--sleep-ms=150"),
        needs=("wrk",),
    ),
)

GENERATORS = (
    Case(
        "saturated client",
        "a generator that wastes 0.3 ms on each answer",
        "ok",
        (Expect("V8", "warn"),),
        bound="client",
        load="fake-busy",
        needs=("two CPUs",),
    ),
    Case(
        "near the ceiling",
        "a known ceiling just above the rate",
        "ok",
        (Expect("V11", "warn"),),
        load="fake-none",
        ceiling_per_s=1000.0,
    ),
    Case(
        "more requests reported than sent",
        "a tenth more, all figures consistent",
        "invalid",
        (Expect("V3"),),
        load="fake-more",
        needs=("namespace",),
    ),
    Case("broken histogram", "the slowest are left out", "invalid", (Expect("V2"),), load="fake-broken"),
    Case("half the time reported", "twice the rate", "invalid", (Expect("V12"),), load="fake-hurried"),
    Case("two thirds of the latency reported", "of each one", "ok", (Expect("V10", "warn"),), load="fake-flattering"),
    Case("silent generator", "prints nothing", "failed", reason="printed no result", load="fake-silent"),
    Case("crashing generator", "exit status 1", "failed", reason="ended with exit status 1", load="fake-crash"),
    Case("late generator", "0.6 s longer than asked", "invalid", (Expect("V12"),), load="fake-late"),
    Case("endless generator", "does not end", "failed", reason="did not end within", load="fake-endless"),
)

MACHINE = (
    Case(
        "clock step",
        "the wall clock is set forward by 0.2 s (injected where it is read)",
        "invalid",
        (Expect("V19"),),
        load="fake-none",
        inject=clock_steps_s(0.2),
    ),
    Case(
        "steal",
        "0.3 s is stolen from each CPU (injected where it is read)",
        "invalid",
        (Expect("V14"),),
        load="fake-none",
        inject=stolen_us(300_000),
    ),
    Case(
        "memory pressure",
        "tasks stalled for 0.2 s (injected where it is read)",
        "invalid",
        (Expect("V16"),),
        load="fake-none",
        inject=reading("pressure_us", lambda number: {"memory some": number * 200_000}),
    ),
    Case(
        "CPU quota",
        "held back for 50 ms (injected where it is read)",
        "invalid",
        (Expect("V17"),),
        load="fake-none",
        inject=reading("throttled_us", lambda number: number * 50_000),
    ),
    Case(
        "swapping",
        "100 pages (injected where it is read)",
        "invalid",
        (Expect("V18"),),
        load="fake-none",
        inject=reading("swapped_pages", lambda number: number * 100),
    ),
    Case(
        "neighbour of the server",
        "three busy programs on the server's CPU",
        "invalid",
        (Expect("V15"),),
        needs=("wrk", "two CPUs"),
        inject=neighbour("server"),
    ),
    Case(
        "neighbour of the client",
        "three busy programs on the client's CPU",
        "invalid",
        (Expect("V15"), Expect("V9", "warn")),
        needs=("wrk", "two CPUs"),
        inject=neighbour("client"),
    ),
)

CASES: tuple[Case, ...] = (*HEALTHY, *ANSWERS, *CONNECTIONS, *HEALTH, *GENERATORS, *MACHINE)
