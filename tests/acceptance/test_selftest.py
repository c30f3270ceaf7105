"""The whole self-test, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_selftest import selftest

pytestmark = [pytest.mark.measures, pytest.mark.timeout(1200)]


def test_every_injected_fault_is_named_by_the_check_meant_for_it(tmp_path: Path) -> None:
    """At the first attempt, and nothing stays behind."""
    ended = selftest(tmp_path, "--json", timeout_s=1100)
    found = json.loads(ended.stdout)
    assert found["schema"] == "speedup.selftest/1"
    assert {case["name"]: case["why"] for case in found["cases"] if case["status"] == "failed"} == {}
    assert {case["name"]: case["why"] for case in found["cases"] if case["status"] == "not run"} == {}
    assert found["passed"] == len(found["cases"])
    assert ended.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
