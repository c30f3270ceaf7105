"""Kills runs at random instants of every phase, in every way that people and machines do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.chaos.attack import LIMIT_S, TRACEBACK, Attack, wrong_words
from tests.chaos.ground import DUET
from tests.chaos.phases import (
    ANYWHERE,
    BETWEEN,
    BUILDING,
    DUET_LOAD,
    GATES,
    HEAD,
    LOAD,
    RENDERING,
    STARTING,
    WARM_UP,
    WRITING,
    Phase,
)
from tests.chaos.session import Session
from tests.chaos.traces import left_running

ENDS_S = 60.0
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WARM = (STARTING, WARM_UP, LOAD, WRITING, LOAD, HEAD, BETWEEN, LOAD, WRITING, ANYWHERE, RENDERING)
COLD = (BUILDING, BUILDING, GATES, GATES, STARTING, LOAD)


def warm(attack: Attack) -> None:
    """Kill a run whose servers are known, in each phase; duets half of the time."""
    chance = attack.chance
    attack.ground.write(blocks=4, nonce=0)
    duets = DUET if chance.random() < 0.5 else ()
    more = ("--skip-gates", *duets)
    phases = [STARTING, *chance.sample(WARM[1:-1], len(WARM) - 2), RENDERING]
    phases = [DUET_LOAD if phase is LOAD and duets else phase for phase in phases]
    _by_signals(attack, phases, more)


def cold(attack: Attack) -> None:
    """Kill a run while it builds servers and asks their gates."""
    attack.ground.write(blocks=1, nonce=attack.chance.randrange(1 << 30))
    _by_signals(attack, COLD, ())


def end(attack: Attack, session: Session, number: signal.Signals, whom: str, phase: Phase) -> None:
    """Send a signal to a command, wait for its end, and judge that."""
    session.send(number)
    session.wait(ENDS_S)
    wrong = wrong_words(attack, session, number)
    attack.judge(f"{number.name} to {whom}", phase.name, wrong, killed=number == signal.SIGKILL)


def _by_signals(attack: Attack, phases: Sequence[Phase], more: Sequence[str]) -> None:
    for phase in phases:
        session = attack.ground.start(attack.ground.words(*more))
        if phase.reach(attack.ground, session, attack.chance):
            end(attack, session, attack.chance.choice(SIGNALS), "a run", phase)
        elif session.code not in {0, 1}:
            attack.judge("undisturbed", phase.name, [f"ended with {session.code}: {session.said[-500:]}"])
    attack.finish()


def terminal(attack: Attack) -> None:
    """Close the terminal of a run, or press Ctrl-C there; through nox as well."""
    attack.ground.write(blocks=3, nonce=0)
    ways = [("plain terminal", how) for how in ("closed", "Ctrl-C", "closed")]
    if shutil.which("nox", path=attack.ground.env["PATH"]):
        ways += [("nox", how) for how in ("Ctrl-C", "closed", "SIGTERM")]
    for by, how in ways:
        session = attack.ground.start(attack.ground.words("--skip-gates", *DUET), by=by)
        phase = attack.chance.choice((DUET_LOAD, BETWEEN, WRITING, WARM_UP))
        if phase.reach(attack.ground, session, attack.chance):
            _end_at_terminal(session, how)
            session.wait(ENDS_S)
            left_running(patience_s=ENDS_S)  # nox may end first, and what it started writes a report
            attack.judge(f"{how} ({by})", phase.name, _wrong_at_terminal(attack, session))
    attack.finish()


def _end_at_terminal(session: Session, how: str) -> None:
    if how == "closed":
        session.close_terminal()
    elif how == "Ctrl-C":
        session.press_ctrl_c()
    else:
        session.send(signal.SIGTERM)


def _wrong_at_terminal(attack: Attack, session: Session) -> list[str]:
    """Return what is wrong; nobody may have seen the last words, so they must be in the run folder."""
    if session.code is None:
        return ["it did not end"]
    if attack.ground.run is None or session.code == 0:
        return []
    kept = attack.ground.run / "logs/run.txt"
    *_, last = kept.read_text(encoding="utf-8").splitlines() or [""]
    named = "interrupted (SIG" in last and "to resume: " in last
    wrong = [] if named else [f"the last line of run.txt is {last!r}"]
    return wrong + ([f"a traceback: {session.said[-1500:]}"] if TRACEBACK in session.said else [])


def members(attack: Attack) -> None:
    """Kill what a run has started: servers, load generators, what encloses them; last the report's process."""
    attack.ground.write(blocks=6, nonce=0)
    session = attack.ground.start(attack.ground.words("--skip-gates", *DUET))
    for phase in (DUET_LOAD, DUET_LOAD, WARM_UP, DUET_LOAD, BETWEEN, DUET_LOAD, RENDERING):
        if not phase.reach(attack.ground, session, attack.chance):
            continue
        with contextlib.suppress(psutil.Error, IndexError):
            victim = attack.chance.choice(psutil.Process(session.pid).children(recursive=True))
            what = _called(victim, session)
            victim.kill()
            attack.judge("SIGKILL to a member of a run", f"{phase.name}: {what}", [], spared=[session])
    session.wait(LIMIT_S)  # it goes on to its end, whatever was killed
    if wrong := _wrong_for_member(session):
        attack.judge("SIGKILL to a member of a run", "until its end", wrong)
    attack.finish()


def _called(victim: psutil.Process, session: Session) -> str:
    words = victim.cmdline()
    if words == psutil.Process(session.pid).cmdline():
        return "what encloses a server"
    return " ".join(Path(word).name if os.sep in word else word for word in words[:3])


def _wrong_for_member(session: Session) -> list[str]:
    """Return what is wrong: the run goes on to its end, or says how to resume."""
    if TRACEBACK in session.said or session.code not in {0, 1}:
        return [f"ended with {session.code}: {session.said[-1500:]}"]
    return []
