"""One attack: a run that is disturbed again and again, looked at after each fault, and resumed to its end."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from runners.records.folder import read_folder
from tests.chaos.ground import Ground
from tests.chaos.judging import against_plan, lines_of, lost, verified
from tests.chaos.session import Session
from tests.chaos.tally import Outcome
from tests.chaos.traces import changed, left_in, left_running, saved_settings, world

LIMIT_S = 240.0
MOST_RESUMES = 3
RESUME = re.compile(r"(?:to resume|free some space, then): (.+?)\s*$", re.MULTILINE)
TRACEBACK = "Traceback (most recent call last)"


class Attack:
    """Keeps what a run recorded, and the outcomes of the faults so far."""

    def __init__(self, ground: Ground, chance: Random) -> None:
        self.ground, self.chance, self.world = ground, chance, world()
        self.tunes = False
        self.helpers: list[Session] = []  # they go on whatever becomes of the run, as a fleet's workers
        self.outcomes: list[Outcome] = []
        self.lines: tuple[bytes, ...] = ()
        self.bad_lines = 0
        self.told: set[str] = set()  # each thing that is left behind is told once
        self.began = time.monotonic()

    def tune(self) -> None:
        """Look at what `--tune` changes, from now on."""
        self.tunes, self.world = True, world(tuned=True)

    def cannot(self, kind: str, why: str) -> None:
        """Say that a kind of fault cannot be injected here."""
        self.outcomes.append(Outcome(kind, "", impossible=why))

    def judge(
        self, kind: str, how: str, problems: Sequence[str], *, killed: bool = False, spared: Sequence[Session] = ()
    ) -> None:
        """Look at everything after a fault; what a killed harness was writing may lie there until the next start."""
        left = left_running([session.pid for session in (*spared, *self.helpers)])
        if not spared:
            left += self._changed(killed=killed) + ([] if killed else left_in(self.ground))
        left = [each for each in left if each not in self.told]
        self.told |= {*left}
        now = lines_of(self.ground.run)
        missing, self.lines = lost(self.lines, now), now
        wrong = [*problems, *self.misread()]
        at_s = round(time.monotonic() - self.began, 1)
        self.outcomes.append(Outcome(kind, how, missing, tuple(left), tuple(wrong), at_s=at_s))

    def _changed(self, *, killed: bool) -> list[str]:
        """Return what is not as it was; settings that a killed run has changed wait for the next start, if saved."""
        tuned = self.tunes and not (killed and saved_settings(self.ground).exists())
        return changed(self.world, tuned=tuned)

    def misread(self) -> list[str]:
        """Return what `verify` says that it should not; the lines that an attack has damaged are known."""
        if self.ground.run is None:
            return []
        code, words = verified(self.ground.run)
        named = [line for line in words.splitlines()[:-1] if "trials.jsonl:" in line and not _is_note(line)]
        right = code == (2 if self.bad_lines else 0) and len(named) == self.bad_lines
        return [] if right else [f"verify ended with {code}: {words}"]

    def finish(self) -> None:
        """Resume until the run ends by itself, and charge the last fault with what is missing or wrong then."""
        wrong: list[str] = []
        session = self.ground.do(self.ground.words(), limit_s=LIMIT_S)
        for _ in range(MOST_RESUMES):
            if session.code in {0, 1}:
                break
            wrong.append(f"a resume ended with {session.code}: {session.said[-500:]}")
            session = self.ground.do(self.ground.words(), limit_s=LIMIT_S)
        run, missing = self.ground.run, lost(self.lines, lines_of(self.ground.run))
        if run is not None:
            lacking, differing = against_plan(run)
            missing, wrong = missing + lacking, [*wrong, *differing, *self.misread(), *_ended_wrongly(self, session)]
        found = left_running([session.pid for session in self.helpers])
        found += [*self._changed(killed=False), *left_in(self.ground)]
        left = [each for each in found if each not in self.told]
        injected = [each for each in self.outcomes if not each.impossible]
        last = injected[-1] if injected else Outcome("nothing", "no fault could be injected")
        replaced = last
        last = replace(
            last,
            lost=last.lost + missing,
            left=(*last.left, *left),
            misnamed=(*last.misnamed, *(f"after the resume: {each}" for each in wrong)),
        )
        self.outcomes = [*(each for each in self.outcomes if each is not replaced), last]


def _is_note(line: str) -> bool:
    return line.endswith(("it is set aside", "it is ignored"))


def _ended_wrongly(attack: Attack, session: Session) -> list[str]:
    """Return why the end of a completed run is wrong: 1 is right only where a cell got no valid number."""
    run = attack.ground.run
    if session.code == 0 or run is None:
        return []
    folder = read_folder(run)
    valid = {trial.cell for trial in folder.trials if trial.verdict == "ok"}
    lacking = {cell.id for cell in folder.run.cells if cell.status in {"planned", "failed"}} - valid
    return [] if session.code == 1 and lacking else [f"ended with {session.code}: {session.said[-500:]}"]


def wrong_words(attack: Attack, session: Session, number: signal.Signals | None = None) -> list[str]:
    """Return what is wrong with how a command ended that got a signal, or with what it said of that.

    None: nobody sent one. What a terminal showed is in the run folder as well, where it is easier to read.
    """
    said, code = session.said, session.code
    if TRACEBACK in said:
        return [f"a traceback: {said[-1500:]}"]
    if code is None:
        return ["it did not end"]
    if number is None or code in {0, 1}:  # the signal came when all was done
        return []
    if number == signal.SIGKILL:
        return [] if code == -signal.SIGKILL else [f"ended with {code} after SIGKILL: {said[-500:]}"]
    last = [line for line in said.splitlines() if line.strip()][-1:] or [""]
    wrong = [] if code == 130 else [f"ended with {code} after {number.name}: {said[-500:]}"]
    if not last[0].startswith(f"speedup: interrupted ({number.name})"):
        wrong.append(f"its last line is {last[0]!r}")
    return wrong + wrong_resume_line(attack, session)


def wrong_resume_line(attack: Attack, session: Session) -> list[str]:
    """Return what is wrong with the line that says how to resume; where there is no run, there is none."""
    said = session.said
    found = RESUME.findall(said)
    if attack.ground.run is None:
        return ["says how to resume what is not there"] if found else []
    if not found and "--resume" in session.argv and said.count("\n") == 1:
        return []  # whoever typed how to resume it knows; nothing had begun yet
    if not found:
        return [f"does not say how to resume: {said[-500:]}"]
    words = shlex.split(found[-1])
    return [] if words[-3:] == attack.ground.words() else [f"resumes with {found[-1]!r}"]
