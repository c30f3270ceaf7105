"""Two servers are compared from an empty folder, and two revisions from a repository: real servers, real load."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import waiting
from tests.support.bench import Bench, interrupt, wait_for
from tests.unit.runners.server.revisions.test_checkouts import commit, git, snapshot

pytestmark = [pytest.mark.measures, pytest.mark.timeout(300)]

SHORT = ("--budget", "12s", "--mode", "persistent", "--warmup", "50ms")


@pytest.fixture(name="here")
def empty_folder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a bench in an empty folder; its cache lies elsewhere."""
    bench.env["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    assert [path for path in bench.folder.iterdir() if path.name != "cache"] == []
    return bench


def test_a_server_that_waits_5_ms_more_is_found_and_never_called_the_same(here: Bench) -> None:
    """From an empty folder with nothing but two commands; the gate of p50 closes, with exit code 1."""
    words = (waiting.command(), waiting.command("--wait-ms=5"), *SHORT, "--json", "--fail-slower", "p50:50%")
    ended = here.run("compare", *words, timeout_s=280)
    assert ended.code == 1, ended.err
    found = json.loads(ended.out)
    unloaded = next(line for line in found["lines"] if line["figure"] == "p50_unloaded")
    assert unloaded["verdict"] == "worse"
    assert unloaded["new"] > 5000 > unloaded["old"]
    paced = next(line for line in found["lines"] if line["figure"] == "p50_equal_rate")
    assert paced["verdict"] == "worse", paced
    assert paced["new"] > 5000 > paced["old"]
    assert paced["rate_per_s"] > 0
    assert re.search(r"p50 (and p99 )?unloaded (is|are) ", found["sentence"].partition("no difference")[0])
    assert Path(here.folder / found["report"]).is_file()
    assert here.processes() == []

    again = here.run("compare", found["runs"][0], "--format", "md")
    assert again.code == 0
    assert again.out.startswith(f"**{found['sentence'].split(' ')[0]}")


def test_servers_that_answer_different_things_are_refused_side_by_side(here: Bench) -> None:
    """Nothing is measured."""
    ended = here.run("compare", waiting.command(), waiting.command("--body=Bye"))
    assert ended.code == 2
    assert "  old: GET /: 200" in ended.err
    assert "'Hello'\n  new: GET /: 200" in ended.err
    assert "--different-answers" in ended.err
    assert here.folders == []


def test_a_server_that_dies_under_load_is_no_slowdown(here: Bench) -> None:
    """It is named with its reason, and skipped by a bisection."""
    dying = waiting.command("--most-connections=150")
    ended = here.run(
        "compare", waiting.command(), dying, *SHORT, "--fail-slower", "2%", "--bisect-codes", timeout_s=280
    )
    assert ended.code == 125, ended.err
    assert "new" in ended.err.splitlines()[-1]
    assert here.processes() == []


def test_ctrl_c_ends_a_comparison_with_nothing_left_running(here: Bench) -> None:
    """What was measured is kept, and the message says how to go on."""
    process = here.start("compare", waiting.command(), waiting.command(), *SHORT)
    wait_for(lambda: here.lines() > 0, timeout_s=200)
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert re.search(r"run --resume \S*results/", ended.err.splitlines()[-1])
    assert here.processes() == []


SERVER = """
import runpy, sys
sys.argv += ["--wait-ms=%d"]
runpy.run_path(%r, run_name="__main__")
"""


def test_two_revisions_are_built_and_a_difference_must_show_in_two_builds(here: Bench) -> None:
    """The working tree is not touched, and no branch, worktree or checkout is left."""
    top = here.folder
    git(top, "init", "-q")
    (top / ".gitignore").write_text("cache\nresults\n", encoding="utf-8")
    commit(top, "server.py", SERVER % (0, waiting.__file__))
    commit(top, "server.py", SERVER % (5, waiting.__file__))
    before = {name: content for name, content in snapshot(top).items() if not name.startswith("cache")}
    start = f"{shlex.quote(sys.executable)} server.py --port={{port}}"
    words = ("--rev", "HEAD~1", "--rev", "HEAD", "--run", start, *SHORT, "--json")
    ended = here.run("compare", *words, timeout_s=280)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["old"], found["new"], found["builds"], len(found["runs"])) == ("HEAD~1", "HEAD", 2, 2)
    assert "HEAD" in found["sentence"]
    kept = {name: content for name, content in snapshot(top).items() if not name.startswith(("cache", "results"))}
    assert kept == before
    assert not (Path(here.env["XDG_CACHE_HOME"]) / "http-speedup/compare").exists()


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (
            ["--rev", "HEAD~1", "--rev", "HEAD", "--build", "sh -c 'echo why; exit 3'", "--run", "x"],
            2,
            "does not build",
        ),
        (["--rev", "nothing", "--run", "x"], 2, "'nothing' is no revision"),
        (["--rev", "HEAD", "--rev", "HEAD", "--run", "x"], 2, "are the same commit"),
        (["--rev", "HEAD", "--run", "x"], 2, "nothing has changed in the working tree"),
        (["--rev", "HEAD~1", "--rev", "HEAD"], 2, "there is no matrix.toml here"),
        (["--rev", "HEAD~1", "--rev", "HEAD", "--build", "make"], 2, "--build needs --run"),
        (["--rev", "a", "--rev", "b", "--rev", "c", "--run", "x"], 2, "name one or two revisions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_revisions_that_cannot_be_compared_are_refused(
    here: Bench, words: list[str], code: int, complaint: str
) -> None:
    """With one message each, and the last lines of a build that fails."""
    git(here.folder, "init", "-q")
    (here.folder / ".gitignore").write_text("cache\n", encoding="utf-8")
    commit(here.folder, "a.c", "1")
    commit(here.folder, "a.c", "2")
    ended = here.run("compare", *words)
    assert (ended.code, complaint in ended.err) == (code, True), ended.err
    assert "\n  why" in ended.err or complaint != "does not build"


def test_revisions_outside_a_repository_are_refused(here: Bench) -> None:
    """And two commands are offered."""
    ended = here.run("compare", "--rev", "main", "--run", "x")
    assert (ended.code, "is in no git repository" in ended.err) == (2, True), ended.err


def test_two_revisions_that_build_the_same_program_are_not_measured(here: Bench) -> None:
    """A comment is no change of the program."""
    top = here.folder
    git(top, "init", "-q")
    (top / ".gitignore").write_text("cache\nserver\n", encoding="utf-8")
    commit(top, "main.c", "int main(void) { return 0; }\n")
    commit(top, "main.c", "/* why */ int main(void) { return 0; }\n")
    words = ("--rev", "HEAD~1", "--rev", "HEAD", "--build", "cc -O2 -o server main.c", "--run", "./server")
    ended = here.run("compare", *words, "--fail-slower", "2%")
    assert (ended.code, ended.out.strip()) == (0, "HEAD~1 and HEAD both build the same program; nothing was measured.")
    assert subprocess.run(["git", "-C", str(top), "status", "--short"], capture_output=True, check=True).stdout == b""
