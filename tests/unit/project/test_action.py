"""The GitHub action, whose steps are run as a runner would; a program in place of `speedup` writes down how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedup.parser import build_parser
from tests.support import ROOT, action
from tests.unit.runners.server.revisions.test_checkouts import commit, git

FAKE = """\
#!{python}
import json, pathlib, sys
pathlib.Path({words!r}).write_text(json.dumps(sys.argv[1:]))
print({answer!r}, end="")
print("speedup: why", file=sys.stderr)
sys.exit({code})
"""


@pytest.fixture(name="checkout")
def checkout_of_a_pull_request(tmp_path: Path) -> Path:
    """Return a clone with one commit, whose base is still to be fetched."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    commit(origin, "server.txt", "base")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(origin, "server.txt", "head")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "checkout")
    return tmp_path / "checkout"


def base_of(checkout: Path) -> str:
    """Return the commit that the pull request starts from."""
    return git(checkout.parent / "origin", "rev-parse", "HEAD~1").strip()


def play(checkout: Path, code: int, answer: str, **inputs: str) -> tuple[action.Outcome, list[str]]:
    """Run the action with a program in place of `speedup`; return how it ended, and the program's words."""
    place, words = checkout.parent / "bin", checkout.parent / "words.json"
    place.mkdir()
    fake = place / "speedup"
    fake.write_text(FAKE.format(python=sys.executable, words=str(words), answer=answer, code=code), encoding="utf-8")
    fake.chmod(0o755)
    ended = action.play(checkout, checkout.parent / "temp", f"{place}{os.pathsep}{os.environ['PATH']}", inputs)
    return ended, json.loads(words.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("code", "answer"), [(0, "**new needs 1 % less**\n"), (1, "**new needs 9 % more**\n")])
def test_the_job_ends_as_the_comparison_does_with_the_answer_in_its_summary(
    checkout: Path, code: int, answer: str
) -> None:
    """The report is attached in between, whatever the code."""
    ended, _ = play(checkout, code, answer, base=base_of(checkout), run="./server")
    assert (ended.code, ended.summary) == (code, answer)
    assert answer in ended.output


def test_a_comparison_without_an_answer_puts_its_message_into_the_summary(checkout: Path) -> None:
    """Such as a build that fails."""
    ended, _ = play(checkout, 2, "", base=base_of(checkout))
    assert (ended.code, ended.summary) == (2, "speedup: why\n")


def test_every_input_reaches_the_command_line_as_one_word(checkout: Path) -> None:
    """Nothing of it is run by the shell; the command line knows all these options; the base is fetched."""
    inputs = {
        "build": "make 'a b' $(touch x)",
        "run": "./server --port={port}",
        "path": "/a b",
        "fail-slower": "2% p99:9%",
    }
    _, words = play(checkout, 0, "", base=base_of(checkout), **inputs)
    found = build_parser(words).parse_args(words)
    assert (found.build, found.run, found.path) == (inputs["build"], inputs["run"], inputs["path"])
    assert found.rev == [base_of(checkout), "HEAD"]
    assert [bound.text for bound in found.fail_slower] == ["cpu:2%", "p99:9%"]
    assert not (checkout / "x").exists()
    subprocess.run(["git", "-C", str(checkout), "cat-file", "-e", base_of(checkout)], check=True)


def test_expressions_stand_only_in_environments() -> None:
    """Text of a pull request in a script would be run."""
    assert [step.id for step in action.steps() if "${{" in step.script] == []
    assert [step.id for step in action.steps()] == ["install", "compare", "report", "verdict"]
    assert set(action.defaults()) == {"base", "build", "run", "only", "path", "fail-slower", "budget"}


def test_the_action_needs_no_token() -> None:
    """So it works on forks."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "github.token" not in text
