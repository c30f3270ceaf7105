"""Users of one's own, in a locustfile that the matrix names: real Locust, real load."""

from __future__ import annotations

import hashlib
import textwrap
from pathlib import Path

import pytest

from runners.stats.histogram import decode
from runners.tools.find import find_tools, known_tools, this_host
from tests.support import ROOT
from tests.support.bench import LOCUST_STARTS, ONCE, Bench, Ended

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(
        not find_tools(known_tools(), ["locust"], this_host())["locust"].found,
        reason="Locust is not installed: speedup doctor --install --for tests",
    ),
]


WAVE = """
from locust import FastHttpUser, LoadTestShape


class Me(FastHttpUser):
    pass


class Wave(LoadTestShape):
    def tick(self):
        return 1, 1
"""


@pytest.fixture(name="bench")
def own_bench(tmp_path: Path) -> Bench:
    """Return a folder to run in."""
    return Bench(tmp_path)


def users_of_the_guide() -> str:
    """Return the locustfile that the documentation shows."""
    guide = (ROOT / "docs" / "how-to" / "load-with-your-own-users.md").read_text(encoding="utf-8")
    return textwrap.dedent(guide.partition("```python\n")[2].partition("   ```")[0])


def with_users(bench: Bench, fault: str, users: str) -> Ended:
    """Run with Locust and users of one's own."""
    bench.write(fault, warmup=LOCUST_STARTS)
    bench.matrix.write_text(bench.matrix.read_text().replace("[suite]", '[suite]\nlocustfile = "users.py"', 1))
    (bench.folder / "users.py").write_text(users, encoding="utf-8")
    return bench.run("run", "--load", "locust", *ONCE)


def test_users_of_one_s_own_load_the_server_and_the_report_names_them(bench: Bench) -> None:
    """They find the files beside theirs, all that they ask is counted, and they wait as they like."""
    own = "from pathlib import Path\n\nassert Path('users.py').exists()\n" + users_of_the_guide()
    ended = with_users(bench, "none", own)
    assert ended.code == 0, ended.err
    trial = bench.trial("none")
    assert trial.evidence is not None
    assert trial.evidence.locustfile == "users.py"
    assert trial.requests is not None
    assert 8 < trial.requests <= 8 * 1.0 / 0.01 + 8
    assert trial.requests == sum(decode(trial.latency or "").values())
    page = (bench.folders[0] / "report.html").read_text(encoding="utf-8")
    assert f"users of users.py (SHA-256 {hashlib.sha256(own.encode()).hexdigest()})" in page


def test_what_users_of_one_s_own_call_a_failure_is_an_error(bench: Bench) -> None:
    """A body that changes under load; V1 names it."""
    ended = with_users(bench, "longer-later", users_of_the_guide())
    trial = bench.trial("longer-later")
    assert ended.code != 0
    assert trial.verdict == "invalid"
    assert "V1 no errors" in (trial.reason or "")


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (
            WAVE,
            "a load shape decides how many users there are",
        ),
        ("from no_such_module import Me\n", "No module named 'no_such_module'"),
    ],
    ids=["shape", "missing module"],
)
def test_users_that_cannot_load_say_why(bench: Bench, users: str, said: str) -> None:
    """In the trial's reason, with Locust's own words."""
    ended = with_users(bench, "none", users)
    trial = bench.trial("none")
    assert ended.code != 0
    assert trial.verdict == "failed"
    assert said in (trial.reason or "")
