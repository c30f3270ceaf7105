"""Changes what surrounds a run: its CPUs, its readers, another harness, a cache that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.chaos.attack import TRACEBACK, Attack
from tests.chaos.ground import DUET, Ground
from tests.chaos.phases import ANYWHERE, BETWEEN, LOAD
from tests.chaos.session import Session

ENDS_S = 90.0


def surroundings(attack: Attack) -> None:
    """Try each once, in one run that is interrupted between them."""
    attack.ground.write(blocks=6, nonce=0)
    session = attack.ground.start(attack.ground.words("--skip-gates", *DUET))
    if LOAD.reach(attack.ground, session, attack.chance):
        _second_harness(attack, session)
        _second_in_the_folder(attack, session)
        session.send(signal.SIGINT)
    session.wait(ENDS_S)
    attack.judge("second harness", "what the first one recorded", [])
    _fewer_cpus(attack)
    _unwritable_cache(attack)
    _report_in_the_way(attack)
    _nobody_listens(attack)
    _nohup(attack)
    attack.finish()


def _refused(session: Session, code: int, words: str) -> list[str]:
    right = session.code == code and words in session.said and TRACEBACK not in session.said
    return [] if right else [f"ended with {session.code}: {session.said[-800:]}"]


def _second_harness(attack: Attack, first: Session) -> None:
    """Start another run of the same user."""
    session = attack.ground.do(["run", "--matrix", str(attack.ground.matrix), "--results", str(attack.ground.results)])
    wrong = _refused(session, 4, "another run is under way") if first.code is None else []
    attack.judge("second harness", "of the same user", wrong, spared=[first])


def _second_in_the_folder(attack: Attack, first: Session) -> None:
    """Resume the same folder with another cache, while it is measured."""
    other = Ground(attack.ground.folder / "other")
    session = other.do(attack.ground.words())
    wrong = _refused(session, 4, "another run is measuring into") if first.code is None else []
    attack.judge("second harness", "in the same folder", wrong, spared=[first])


def _fewer_cpus(attack: Attack) -> None:
    """Take CPUs away from a resume."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        session = attack.ground.do(attack.ground.words(), before=("taskset", "-c", str(attack.chance.choice(cpus))))
        attack.judge("CPUs taken away", "at a resume", _refused(session, 2, "the list of usable CPUs was "))


def _unwritable_cache(attack: Attack) -> None:
    """Make the cache's file system read-only; only root may."""
    own = str(attack.ground.cache)
    for argv in (["mount", "--bind", own, own], ["mount", "-o", "remount,bind,ro", own]):
        if subprocess.run(argv, check=False, capture_output=True).returncode:
            return
    try:
        session = attack.ground.do(attack.ground.words())
    finally:
        subprocess.run(["umount", own], check=True)
    attack.judge("cache cannot be written", "at a resume", _refused(session, 4, own))


def _report_in_the_way(attack: Attack) -> None:
    """Make a folder of the report's name: a warning, no lost trial, and a way to write it again."""
    run = attack.ground.run
    if run is None:
        return
    (run / "report.html").unlink(missing_ok=True)
    (run / "report.html").mkdir()
    session = attack.ground.start(attack.ground.words())
    if ANYWHERE.reach(attack.ground, session, attack.chance):
        session.send(signal.SIGINT)
    session.wait(ENDS_S)
    code = 1 if "trials:" in session.said else 130
    wrong = _refused(session, code, "the report could not be written" if code == 1 else "interrupted")
    (run / "report.html").rmdir()
    attack.judge("folder in the report's place", "interrupted", wrong)


def _nobody_listens(attack: Attack) -> None:
    """Close the terminal's output of a run that ignores what that sends: it goes on."""
    session = attack.ground.start(["run", *attack.ground.words()[1:]], by="terminal", before=("nohup",))
    if BETWEEN.reach(attack.ground, session, attack.chance):
        session.close_terminal()
        session.wait(ENDS_S)
        attack.judge("nohup", "its terminal was closed", _went_on(session))


def _nohup(attack: Attack) -> None:
    """Send a signal that is ignored."""
    session = attack.ground.start(attack.ground.words(), before=("nohup",))
    if session.until(lambda: session.heeds_signals, ENDS_S):
        session.send(signal.SIGHUP)
        session.wait(ENDS_S)
        attack.judge("nohup", "SIGHUP", _went_on(session))


def _went_on(session: Session) -> list[str]:
    return [] if session.code in {0, 1} and TRACEBACK not in session.said else [f"ended with {session.code}"]
