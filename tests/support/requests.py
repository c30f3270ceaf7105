"""Requests of several kinds to a server that answers nothing else, and that each generator sends them as described."""

from __future__ import annotations

import json
import sys

import pytest

from runners.matrix.model import MODES
from runners.tools.find import find_tools, known_tools, this_host
from tests.support import ROOT
from tests.support.bench import LOCUST_STARTS, ONCE, Bench

PICKY = f"""
[server.picky]
class = "application"
dir = {json.dumps(str(ROOT / "tests" / "support"))}
run = [{json.dumps(sys.executable)}, "picky.py", "{{port}}"]
"""
REQUESTS = """
[request.home]
expect = { body = "home" }

[request.search]
method = "POST"
path = "/search?limit=1"
headers = { X-Kind = "nim" }
body_file = "query"
expect = { json = { found = true } }

[request.gone]
path = "/gone"
expect = { status = 410, length = 4 }
"""


MIX = """
[mix.all]
requests = ["home", "search", "gone"]
"""


def assert_a_mix_is_sent(bench: Bench, load: str) -> dict[str, int]:
    """Assert that a mix of all requests gets only right answers, in each mode; return how many of each, if known."""
    _need(load)
    warmup = LOCUST_STARTS if load == "locust" else "100ms"
    weighted = REQUESTS.replace("[request.home]", "[request.home]\nweight = 3")
    bench.write(modes=MODES, warmup=warmup, more=PICKY + weighted + MIX)
    (bench.folder / "query").write_text("q=1", encoding="utf-8")
    ended = bench.run("run", "--load", load, "--only", "picky", *ONCE)
    trials = bench.read().trials
    judged = [(trial.mode, trial.design, check.outcome) for trial in trials for check in trial.checks
              if check.id == ("V24" if trial.design == "checked" else "V1")]  # fmt: skip
    assert sorted(judged) == [(mode, design, "pass") for mode in sorted(MODES) for design in ("checked", "solo")], ended
    return {part.name: part.requests for trial in trials if trial.design == "solo" for part in trial.parts}


def assert_each_is_sent(bench: Bench, load: str) -> None:
    """Assert that each request has a cell and gets its answer, in each mode; skip without the generator."""
    _need(load)
    modes = ("persistent",) if load == "h2load" else MODES  # h2load 1.52 may hang when connections close
    bench.write(modes=modes, warmup=LOCUST_STARTS if load == "locust" else "100ms",
                more=PICKY + REQUESTS)  # fmt: skip
    (bench.folder / "query").write_text("q=1", encoding="utf-8")
    ended = bench.run("run", "--load", load, *ONCE)
    trials = {trial.slug: trial for trial in bench.read().trials}
    names = {f"picky/t1/c8/{mode}/{name}" for mode in modes for name in ("home", "search", "gone")}
    assert names <= trials.keys(), ended.err
    assert {slug: trial.reason for slug, trial in trials.items() if not trial.requests} == {}
    errors = [check for trial in trials.values() for check in trial.checks if check.id == "V1"]
    assert {(check.outcome, check.saw) for check in errors} == {("pass", "none")}


def _need(load: str) -> None:
    if not find_tools(known_tools(), [load], this_host())[load].found:
        pytest.skip(f"{load} is not installed: speedup doctor --install --for tests")
