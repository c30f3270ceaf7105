"""Runs servers that misbehave: each costs its own row, is named, and leaves nothing behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from runners.records.folder import read_folder
from runners.records.trial import Trial
from tests.chaos.attack import TRACEBACK, Attack
from tests.support import ROOT, shapes
from tests.support.bench import ONCE, server

ENDS_S = 240.0
ANY = ("ok", "invalid", "failed")
FINE = ("ok", "invalid")  # a machine that others use makes trials invalid
SELDOM = ("failed", "ok")  # with few requests, on a busy machine, it does no harm
BAD = ("invalid", "failed")

# Each server's option, the verdicts that are right, and what the reason of a wrong one must say.
FAULTY = (
    ("none", FINE, ""),
    ("never-listens", ("failed",), "does not listen on"),
    ("exits", ("failed",), "no configuration"),
    ("wrong-body", ("invalid",), "Hello Mars!"),
    ("dies-later", ("failed",), "SIGSEGV"),
    ("leaves-child", FINE, ""),
    ("escapes", FINE, ""),
    ("hungry", SELDOM, "of memory, more than the matrix allows"),
    ("forks", SELDOM, "processes, more than the matrix allows"),
    ("prints", FINE, ""),
    ("errors", ("invalid",), "status"),
    ("unasked", BAD, ""),
    ("unasked-later", BAD, ""),
    ("lying", BAD, ""),
    ("too-short-later", BAD, ""),
    ("too-long-later", ANY, ""),
    ("longer-later", ("invalid",), "V24"),
    ("other-later", ANY, ""),
    ("closes", BAD, ""),
    ("closes-later", ANY, ""),
    ("says-close", ANY, ""),
    ("ignores-close", FINE, ""),
    ("leaks", ANY, ""),
    ("spawns", ANY, ""),
    ("loses-worker", ANY, ""),
    ("dies", ("failed",), "died"),
    ("stubborn", FINE, ""),
    ("refuses", BAD, ""),
    ("accepts-slowly", ANY, ""),
)
SHAPES = (
    ("silent", ("failed",), "does not listen"),
    ("ends", ("failed",), "no configuration"),
    ("background", ("failed",), "went into the background"),
    ("six-only", ("failed",), "but on "),
)
# What a server looks like that gets no CPU, since others use the machine; it hides any other fault.
STARVED = (
    "enough data",
    "no complete answer within",
    "open halfway through",
    "does not listen on",
    "answered no request",
)
THIRDS = 3
SHAPE = """
[server.{name}]
dir = {dir}
run = [{python}, "-S", "-E", {file}, "--shape={name}", "--port={{port}}"]
ready = {{ timeout = "3s" }}
"""


def third(attack: Attack, number: int) -> None:
    """Run a third of them, each once, and an honest one behind them."""
    faulty, shaped = FAULTY[number::THIRDS], SHAPES[number::THIRDS]
    text = "".join(server(name, f"--fault={name}") for name, *_ in faulty)
    text += "".join(_shape(name) for name, *_ in shaped)
    attack.ground.write(blocks=1, nonce=0, servers=text, duration="1s")
    session = attack.ground.do(attack.ground.words("--skip-gates", *ONCE), limit_s=ENDS_S)
    run = attack.ground.run
    trials = read_folder(run).trials if run else ()
    for name, verdicts, reason in (*faulty, *shaped):
        found = [trial for trial in trials if trial.server == name]
        attack.judge("misbehaving server", name, _wrong(found, verdicts, reason))
    if session.code not in {0, 1} or TRACEBACK in session.said:
        attack.judge("misbehaving server", "all", [f"ended with {session.code}: {session.said[-1500:]}"])


def _shape(name: str) -> str:
    file = Path(shapes.__file__)
    return SHAPE.format(
        name=name, dir=json.dumps(str(ROOT)), python=json.dumps(sys.executable), file=json.dumps(str(file))
    )


def _wrong(found: Sequence[Trial], verdicts: Sequence[str], reason: str) -> list[str]:
    if not found:
        return ["it has no trial"]
    told = [f"{trial.verdict}: {trial.reason}" for trial in found]
    right = all(trial.verdict in verdicts for trial in found)
    named = all(trial.verdict == "ok" or (trial.reason and reason in trial.reason) for trial in found)
    starved = all(trial.verdict != "ok" and any(each in (trial.reason or "") for each in STARVED) for trial in found)
    return [] if (right and named) or starved else told
