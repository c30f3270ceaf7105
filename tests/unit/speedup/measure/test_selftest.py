"""The table and the JSON of the self-test's results."""

from __future__ import annotations

import io
import json

from runners.selftest.case import CaseResult
from speedup.measure.selftest import print_results, results_json
from speedup.terminal import ResultConsole

NAMED = CaseResult("errors", "1 % errors", "V1 fail", "invalid", "passed", reported=("V1 fail: seen by V1",))
MISSED = CaseResult("errors", "1 % errors", "V1 fail", "ok", "failed", why=("V1 should fail, yet it is pass",))
ABSENT = CaseResult("port", "a taken [port]", "V3 fail", "invalid", "not run", why=("wrk is missing",))


def test_people_see_what_was_injected_and_what_was_reported() -> None:
    """With the reasons of what failed or was not run, and the counts in the last line."""
    out = io.StringIO()
    print_results([NAMED, MISSED, ABSENT], 2.0, ResultConsole(file=out, width=160))
    shown = out.getvalue()
    assert "V1 fail: seen by V1" in shown
    assert "! V1 should fail" in shown
    assert "a taken [port]" in shown
    assert shown.strip().endswith("1 passed, 1 failed, 1 not run in 2 s")


def test_programs_get_every_case_and_the_counts() -> None:
    """With a schema version."""
    told = json.loads(json.dumps(results_json([NAMED, MISSED, ABSENT], 2.04)))
    assert (told["schema"], told["passed"], told["failed"], told["not_run"]) == ("speedup.selftest/1", 1, 1, 1)
    assert told["cases"][0]["named_by"] == "V1 fail"
    assert told["seconds"] == 2.0
