"""A run's report is enough to build and measure it again, and its verdict shows again: real servers, real load."""

from __future__ import annotations

import json

import pytest

from tests.support import ROOT
from tests.support.bench import VALIDITY, Bench
from tests.unit.runners.server.revisions.test_checkouts import git

pytestmark = [pytest.mark.measures, pytest.mark.timeout(600)]

SERVER = """
[server.{name}]
dir = "servers"
build = ["cc", "-O2", "-o", "{{out}}", "server.c"]
run = ["{{out}}", "{{port}}", "{spin}"]
"""
MATRIX = f"""
[suite]
title = "Fast and slow"
modes = ["persistent"]
{VALIDITY}
[preset.quick]
warmup = "100ms"
duration = "500ms"
twin = false
blocks = {{ min = 1, max = 1 }}
[preset.quick.duet]
warmup = "50ms"
duration = "300ms"
blocks = {{ min = 12, max = 12 }}
[machine.local]
threads = [1]
connections = [4]
{SERVER.format(name="fast", spin=0)}
{SERVER.format(name="slow", spin=8000)}
[[table]]
title = "Speed"
mode = "persistent"
design = "duet"
rows = ["fast", "slow"]
"""


def test_a_report_is_measured_again_from_the_repository_that_it_names(bench: Bench) -> None:
    """Every hash is verified first; the slow server is slow again."""
    top = bench.folder
    git(top, "init", "-q")
    (top / ".gitignore").write_text("cache\nresults\n*.html\n", encoding="utf-8")
    (top / "servers").mkdir()
    source = (ROOT / "benchmarks/spin_server.c").read_text(encoding="utf-8")
    (top / "servers/server.c").write_text(source, encoding="utf-8")
    (top / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "servers")
    measured = bench.run("run", "--matrix", "matrix.toml", timeout_s=280)
    assert measured.code == 0, measured.err
    report = measured.out.strip().splitlines()[-1]
    (top / "servers/server.c").write_text("not what was measured", encoding="utf-8")

    ended = bench.run("reproduce", report, "--repo", str(top), "--yes", "--json", timeout_s=280)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [each["before"]["verdict"] for each in found["verdicts"]].count("costlier") >= 1, found
    again = next(each for each in found["verdicts"] if each["before"]["verdict"] == "costlier")
    assert (again["outcome"], again["now"]["verdict"]) == ("reproduced", "costlier")
    assert again["now"]["low"] > 1
    assert git(top, "status", "--porcelain") == " M servers/server.c\n"

    git(top, "commit", "-qam", "another server")
    (top / "head").write_text(git(top, "rev-parse", "HEAD"), encoding="utf-8")
    assert bench.run("reproduce", report).out.splitlines()[-1].startswith("nothing was run")
    assert bench.processes() == []
