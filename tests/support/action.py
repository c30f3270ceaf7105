"""Plays a GitHub runner for `action.yml`: runs the shell steps of the composite action, in order, with its inputs.

It reads no more YAML than that file has: scalar values, and blocks of text behind `run: |`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

ACTION = ROOT / "action.yml"
EXPRESSION = re.compile(r"\$\{\{ *([^}]+?) *\}\}")


@dataclass(frozen=True)
class Step:
    """A step: its id, what it runs (empty if it uses another action), and its environment before it is filled in."""

    id: str
    script: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a job with the action ended: its exit code, its summary and its output."""

    code: int
    summary: str
    output: str


def defaults() -> dict[str, str]:
    """Return the inputs of the action with what they are by default."""
    text = ACTION.read_text(encoding="utf-8").partition("\noutputs:")[0].partition("inputs:\n")[2]
    found = re.findall(r"^  ([\w-]+):\n    description: .*\n    default: (.*)$", text, re.MULTILINE)
    return {name: value.strip('"') for name, value in found}


def steps() -> list[Step]:
    """Return the steps of the action."""
    text = ACTION.read_text(encoding="utf-8").partition("  steps:\n")[2]
    return [_step(part) for part in re.split(r"^    - ", text, flags=re.MULTILINE)[1:]]


def _step(part: str) -> Step:
    name = re.search(r"id: (\w+)", part)
    head, _, script = part.partition("      run: |\n")
    env = dict(re.findall(r"^        ([A-Z_]+): (.*)$", head, re.MULTILINE))
    lines = (line.removeprefix("        ") for line in script.splitlines())
    return Step(name[1] if name else "", "\n".join(lines) if script else "", env)


def filled(text: str, known: Mapping[str, str]) -> str:
    """Return text with its expressions filled in."""
    return EXPRESSION.sub(lambda match: known[match[1]], text)


def play(folder: Path, temp: Path, programs: str, inputs: Mapping[str, str]) -> Outcome:
    """Run the shell steps but the installation, in a checkout; `programs` is a PATH."""
    temp.mkdir()
    summary, output = temp / "summary.md", temp / "output.txt"
    known = {f"inputs.{name}": value for name, value in {**defaults(), **inputs}.items()}
    printed = ""
    for step in steps():
        if not step.script or step.id == "install":
            continue
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines()) if output.exists() else {}
        known |= {f"steps.compare.outputs.{name}": value for name, value in outputs.items()}
        env = {name: filled(value, known) for name, value in step.env.items()}
        runner = {"RUNNER_TEMP": str(temp), "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.script],
            cwd=folder, env={**os.environ, **runner, **env, "PATH": programs, "GITHUB_ACTION_PATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        printed += done.stdout + done.stderr
        if done.returncode:
            break
    else:
        done = subprocess.CompletedProcess([], 0)
    return Outcome(done.returncode, summary.read_text(encoding="utf-8") if summary.exists() else "", printed)
