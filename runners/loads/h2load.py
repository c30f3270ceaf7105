"""h2load of nghttp2 over HTTP/1.1: a closed loop, or requests paced at a rate, each logged with its microseconds.

All of this was tested with Debian's nghttp2-client 1.52.0 against servers of known behaviour, and read in its source:

- The log (`--log-file`) has one line per finished request: its start (wall clock, microseconds), its status, and the
  microseconds until the end of the response. Each line is written at once, by `write`, so the log is complete whenever
  h2load is stopped, and it agrees with h2load's own totals (checked here each time). It costs about 1.4 us of CPU per
  request, a sixth of what h2load needs without it: 121,000 req/s became 106,000 where h2load was the bottleneck.
- `--rps` is the rate of one client (connection), not of all; fractions are allowed. No request is ever dropped: a
  connection that is behind sends its next request as soon as the answer to the last arrives, so after a stall it
  catches up as fast as the server answers, and under overload it becomes a closed loop without saying so.
- **The log starts a request's clock when it was sent, not when it was due** (coordinated omission). With a server that
  stalled for 200 ms in every second, at 1,000 req/s, a fifth of the requests was due during a stall, so the true p90 is
  100 ms; the log's was 0.2 ms. `runners.loads.pacing` adds how late each request was sent.
- With `-D` (a duration), all connections are opened at once and their clocks tick together: 64 connections at 2 % of a
  server's capacity sent 64 requests at once, and p50 was 0.9 ms instead of 0.1 ms. With `-n` (a number of requests),
  `-r` opens one connection after another, which spreads the ticks. So paced jobs use `-n` and `-r`, and the measured
  time is cut out of the log.
- A connection's clock ticks at most every 10 ms. Above 100 req/s per connection, requests therefore come in short
  trains, one right after the other, and a generator that was itself held up for longer than a tick goes on with clocks
  that tick together. Check V27 detects that.
- The number of threads (`-t`) must divide the connections; otherwise some threads have one more.
- Non-persistent: it opens a new connection after an answer with `Connection: close`. It never closes one itself, so it
  measures a server that ignores the header no better than wrk does; and `--rps` starts anew with each connection, so it
  paces only persistent connections.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.loads.base import LoadFailed, LoadJob, LoadResult, Phase
from runners.loads.pacing import Request, pacing_of, read_requests, window_of
from runners.matrix.requests.mix import Asked, Mix
from runners.records.trial import Errors

LOG_NAME = "requests.txt"
PATIENCE_S = 10.0
SETTLE_S = 0.5  # paced load before the measured time: new connections cost a server that compiles more than others
TAIL_S = 0.1  # paced load after the measured time, so that its last requests can end
GRACE_S = 1.0  # for the start and for requests that are behind schedule; then h2load is stopped

_TOTALS = re.compile(r"^requests: .* (?P<errored>\d+) errored, (?P<timeout>\d+) timeout$", re.MULTILINE)
_STATUSES = re.compile(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$", re.MULTILINE)
_TRAFFIC = re.compile(r"^traffic: \S+ \((?P<bytes>\d+)\) total", re.MULTILINE)


@dataclass(frozen=True)
class H2load:
    """The h2load load generator."""

    kind: str = "h2load"
    tool: str = "h2load"
    warms_apart: bool = True

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:
        """Return the largest number up to `wanted` (or one per CPU) that divides the connections evenly."""
        most = min(wanted or cpus, connections)
        return next(count for count in range(most, 0, -1) if connections % count == 0)

    def refusal(self, asked: Asked) -> str | None:
        """Return why it cannot send a mix: it gives all requests of a command the same method, headers and body."""
        if not isinstance(asked, Mix):
            return None
        kinds = {(each.method, each.headers, each.body) for each in asked.requests}
        return None if len(kinds) == 1 else "can mix only requests that differ in nothing but the path"

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:
        """Return the URLs in the order to request; every connection begins with the first."""
        paths = (mix.requests[index].path for index in mix.order)
        return "".join(f"http://{job.host}:{job.port}{path}\n" for path in paths).encode()

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return a warm-up at full load, and the measured command."""
        measured = _closed(job) if job.rate_per_s is None else _paced(job)
        if not job.warmup_s:
            return (measured,)
        return (Phase("warm-up", closed_command(job, job.warmup_s, log=False), job.warmup_s + PATIENCE_S), measured)

    def parse(self, output: str, job: LoadJob) -> LoadResult:
        """Return what the log has for the measured time, and remove the log; raise LoadFailed if it is torn."""
        if job.request_log is None or not job.request_log.exists():
            raise LoadFailed("h2load wrote no log of its requests")
        try:
            requests = read_requests(job.request_log.read_bytes())
        except ValueError as error:
            raise LoadFailed(f"h2load wrote a torn log ({error})") from error
        job.request_log.unlink()
        _check_totals(output, requests, job)
        return _result(output, requests, job)


def _closed(job: LoadJob) -> Phase:
    return Phase("load", closed_command(job, job.duration_s, log=True), job.duration_s + PATIENCE_S, cwd=_folder(job))


def _paced(job: LoadJob) -> Phase:
    ends_s = ramp_s(job) + SETTLE_S + job.duration_s + TAIL_S + GRACE_S
    return Phase("load", paced_command(job), ends_s + PATIENCE_S, ends_s, cwd=_folder(job))


def _folder(job: LoadJob) -> Path | None:
    return job.request_log.parent.resolve() if job.request_log else None


def _result(output: str, requests: list[Request], job: LoadJob) -> LoadResult:
    measured, pacing, window_us = requests, None, None
    if job.rate_per_s is not None:
        after_s = ramp_s(job) + SETTLE_S
        measured = window_of(requests, after_s, job.duration_s)
        measured, pacing = pacing_of(measured, job.rate_per_s, job.connections)
        window_us = _window_us(requests, after_s, job.duration_s)
    answered = [request for request in measured if request.status > 0]
    latency: dict[int, int] = {}
    for request in answered:
        latency[request.latency_us] = latency.get(request.latency_us, 0) + 1
    return LoadResult(
        requests=len(answered),
        duration_us=round(job.duration_s * 1e6),
        bytes_read=_bytes_read(output, len(answered), sum(request.status > 0 for request in requests)),
        errors=_errors(output, measured),
        latency=latency,
        client_cpu_us=None,
        uncounted=len(requests) - len(answered),
        pacing=pacing,
        window_us=window_us,
    )


def _window_us(requests: Sequence[Request], after_s: float, length_s: float) -> tuple[int, int] | None:
    """Return the measured time by the monotonic clock; the log has the wall clock's, which stepped if V19 says so."""
    if not requests:
        return None
    ahead_us = (time.time_ns() - time.monotonic_ns()) // 1000
    begin_us = requests[0].start_us + round(after_s * 1e6) - ahead_us
    return begin_us, begin_us + round(length_s * 1e6)


def _check_totals(output: str, requests: list[Request], job: LoadJob) -> None:
    """Raise LoadFailed if h2load's own totals and the log disagree; an h2load that was stopped has no totals."""
    statuses = _STATUSES.search(output)
    if statuses is None:
        if job.rate_per_s is None:
            raise LoadFailed("h2load printed no totals")
        return
    said, logged = sum(map(int, statuses.groups())), sum(request.status > 0 for request in requests)
    if said != logged:
        raise LoadFailed(f"h2load reports that {said} requests were answered, its log has {logged}")


def _errors(output: str, measured: list[Request]) -> Errors:
    """Return the errors; broken requests count as read errors, since h2load does not report when they broke."""
    totals = _TOTALS.search(output)
    broken = sum(request.status < 0 for request in measured)
    refused = output.count("client could not connect to host")
    timeouts = int(totals["timeout"]) if totals else 0
    errored = int(totals["errored"]) if totals else broken
    return Errors(
        connect=refused,
        read=max(broken, errored) - timeouts,
        status=sum(request.status > 399 for request in measured),
        timeout=timeouts,
    )


def _bytes_read(output: str, answered: int, all_answered: int) -> int | None:
    """Return the measured requests' share of all bytes read; None if h2load was stopped before it printed them."""
    traffic = _TRAFFIC.search(output)
    return round(int(traffic["bytes"]) * answered / all_answered) if traffic and all_answered else None


def rate_per_connection(job: LoadJob) -> float:
    """Return the requests per second of one connection."""
    return (job.rate_per_s or 0.0) / job.connections


def stagger_ms(job: LoadJob) -> int:
    """Return the time after which each thread opens its next connection, in whole milliseconds.

    This spreads the connections over one connection's interval, or as densely as h2load can if that is shorter.
    """
    return max(1, round(1000 * job.threads / (job.rate_per_s or 1.0)))


def ramp_s(job: LoadJob) -> float:
    """Return how long it takes to open all connections, in seconds."""
    return job.connections / job.threads * stagger_ms(job) / 1000


def paced_command(job: LoadJob) -> tuple[str, ...]:
    """Return the command of a paced job: enough requests on each connection to cover the whole time."""
    rate = rate_per_connection(job)
    each = math.ceil((ramp_s(job) + SETTLE_S + job.duration_s + TAIL_S) * rate) + 1
    pace = ("--rps", f"{rate:.9g}", "-n", str(each * job.connections))
    opening = ("-r", str(job.threads), "--rate-period", f"{stagger_ms(job)}ms")
    return ("h2load", "--h1", *_shape(job), *pace, *opening, *_request(job), *_log(job), *_url(job))


def closed_command(job: LoadJob, duration_s: float, *, log: bool) -> tuple[str, ...]:
    """Return the command of a closed loop: every connection sends its next request as soon as it has an answer."""
    logging = _log(job) if log else ()
    timing = ("-D", f"{round(duration_s * 1000)}ms")
    return ("h2load", "--h1", *_shape(job), *timing, *_request(job), *logging, *_url(job))


def _shape(job: LoadJob) -> tuple[str, ...]:
    return ("-t", str(job.threads), "-c", str(job.connections))


def _request(job: LoadJob) -> tuple[str, ...]:
    """Return the options for method, headers and body; a body alone would make it a POST."""
    method = ("-H", f":method: {job.method}") if job.method != "GET" else ()
    return (*job.header_options, *method, *(("-d", str(job.body)) if job.body else ()))


def _log(job: LoadJob) -> tuple[str, str]:
    return ("--log-file", job.request_log.name if job.request_log else LOG_NAME)


def _url(job: LoadJob) -> tuple[str, ...]:
    return ("-i", str(job.mix)) if job.mix else (f"http://{job.host}:{job.port}{job.path}",)
