"""Runs in Locust beside a file with users, and counts their requests exactly, after a warm-up.

Started by `runners.loads.locust` in Locust's own environment, so it imports nothing of ours. Locust's statistics round
to milliseconds, so requests are counted here, in microseconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

import gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

AFTERWARDS_S = 0.2  # for requests in flight when the window closes


class Window:
    """Counts the requests that end between the end of the warm-up and the end of the measured time."""

    def __init__(self, warmup_s: float, duration_s: float, start_us: int | None, *, named: bool = False) -> None:
        self.named = named  # otherwise there may be a name for every URL
        now = time.monotonic()
        self.starts = now if start_us is None else start_us / 1e6
        self.late_s = max(0.0, now - self.starts)
        self.opens = self.starts + warmup_s
        self.closes = self.opens + duration_s
        self.latency: Counter[int] = Counter()
        self.parts: dict[str, Counter[int]] = {}  # the same by the request's name
        self.errors: Counter[str] = Counter()
        self.cpu_s: float | None = None
        self.used_s = 0.0
        self.uncounted = 0

    def count(self, name: str, response_time_ms: float, status: int | None, error: BaseException | None) -> None:
        """Count one request that has just ended."""
        now = time.monotonic()
        if not self.opens <= now <= self.closes:
            self.uncounted += 1
            return
        if self.cpu_s is None:
            self.cpu_s = time.process_time()
        self.used_s = time.process_time() - self.cpu_s
        latency_us = round(response_time_ms * 1000)
        if self.named and status is not None:
            self.parts.setdefault(name, Counter())[latency_us] += 1
        if status is not None and status > 399:
            self.errors["status"] += 1
        elif error is not None:
            self.errors["read"] += 1
        else:
            self.latency[latency_us] += 1

    def result(self) -> dict[str, Any]:
        """Return what was counted."""
        names = ("connect", "read", "write", "status", "timeout")
        return {
            "requests": sum(self.latency.values()) + self.errors["status"],
            "opened_us": round(self.opens * 1e6),
            "duration_us": round((self.closes - self.opens) * 1e6),
            "errors": {name: self.errors[name] for name in names},
            "latency": {str(value): count for value, count in self.latency.items()},
            "parts": self.parts,
            "cpu_us": self.used_s * 1e6,
            "uncounted": self.uncounted,
            "late_s": self.late_s,
        }


window: Window | None = None


@events.init_command_line_parser.add_listener
def _arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument("--path", default="/")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--headers", default="{}")
    parser.add_argument("--body")
    parser.add_argument("--mix")
    parser.add_argument("--mode", default="persistent")
    parser.add_argument("--warmup-s", type=float, default=0.3)
    parser.add_argument("--duration-s", type=float, default=1.0)
    parser.add_argument("--start-us", type=int)


@events.init.add_listener
def _init(environment: Environment, **_: object) -> None:
    if environment.shape_class is not None:
        raise SystemExit(
            "a load shape decides how many users there are, but here the matrix's connections do; remove it"
        )


@events.test_start.add_listener
def _start(environment: Environment, **_: object) -> None:
    """Delay until the moment at which all hosts of a fleet begin: the users are spawned after this."""
    global window  # noqa: PLW0603 - Locust's events carry nothing of ours
    options: Any = environment.parsed_options
    window = Window(options.warmup_s, options.duration_s, options.start_us, named=options.mix is not None)
    if environment.runner is not None:
        gevent.spawn_later(window.closes - time.monotonic() + AFTERWARDS_S, environment.runner.quit)
    gevent.sleep(max(0.0, window.starts - time.monotonic()))


@events.request.add_listener
def _request(
    name: str, response_time: float, response: Any = None, exception: BaseException | None = None, **_: object
) -> None:
    status = getattr(response, "status_code", None) or None
    if window is not None:
        window.count(name, response_time, status, exception)


@events.quitting.add_listener
def _quit(environment: Environment, **_: object) -> None:
    environment.process_exit_code = 0  # errors are counted, and judged by the checks
    if window is not None:
        sys.stdout.write(f"speedup:result {json.dumps(window.result())}\n")
