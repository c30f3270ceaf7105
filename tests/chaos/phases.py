"""Waits for a phase of a run, and then for an instant in it that chance has drawn."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from runners.system.tuning import SAVED
from tests.chaos.ground import Ground
from tests.chaos.session import Session

PATIENCE_S = 60.0

Sign = Callable[[Ground, Session], bool]


@dataclass(frozen=True)
class Phase:
    """A part of a run: what shows that it has begun, and how long it lasts at most, in seconds."""

    name: str
    has_begun: Callable[[Ground, Session], Sign]
    lasts_s: float

    def reach(self, ground: Ground, session: Session, chance: Random) -> bool:
        """Wait for an instant in the phase; return False if the session ends before."""
        sign = self.has_begun(ground, session)
        if not session.until(lambda: sign(ground, session), PATIENCE_S):
            return False
        ends = time.monotonic() + chance.uniform(0, self.lasts_s)
        session.until(lambda: time.monotonic() >= ends, PATIENCE_S)
        return session.code is None


def _handlers(_ground: Ground, _session: Session) -> Sign:
    return lambda _, session: session.heeds_signals


def _new_file(pattern: str) -> Callable[[Ground, Session], Sign]:
    """Return what waits for a file that was not there when the session began, or was written again since."""

    def begin(ground: Ground, _session: Session) -> Sign:
        before = _files(ground.results, pattern)
        return lambda ground, session: session.heeds_signals and bool(_files(ground.results, pattern) - before)

    return begin


def _files(folder: Path, pattern: str) -> set[tuple[str, int]]:
    found = set()
    for file in folder.glob(pattern):
        with contextlib.suppress(OSError):
            found.add((str(file), file.stat().st_mtime_ns))
    return found


def _grown(ground: Ground, _session: Session) -> Sign:
    before = _recorded(ground)
    return lambda ground, _: _recorded(ground) > before


def _recorded(ground: Ground) -> int:
    return sum(file.stat().st_size for file in ground.results.glob("*/trials.jsonl"))


def _said(words: str) -> Callable[[Ground, Session], Sign]:
    def begin(ground: Ground, _session: Session) -> Sign:
        before = _times_said(ground, words)
        return lambda ground, _: _times_said(ground, words) > before

    return begin


def _times_said(ground: Ground, words: str) -> int:
    return sum(file.read_text(encoding="utf-8").count(words) for file in ground.results.glob("*/logs/run.txt"))


def _rendering(_ground: Ground, _session: Session) -> Sign:
    def begun(_: Ground, session: Session) -> bool:
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(session.pid).children(recursive=True)
            return any("report" in child.cmdline() for child in children)
        return False

    return begun


def _new_in_cache(pattern: str) -> Callable[[Ground, Session], Sign]:
    """Return what waits for something new in our folder of the cache."""

    def begin(ground: Ground, _session: Session) -> Sign:
        own = ground.cache / "http-speedup"
        before = _files(own, pattern)
        return lambda _, session: session.heeds_signals and bool(_files(own, pattern) - before)

    return begin


INSTALLING = Phase("installing", _new_in_cache("wheels/.new-*"), 2.0)
TUNED = Phase("tuned", _new_in_cache(SAVED), 3.0)
STARTING = Phase("starting and planning", _handlers, 1.2)
BUILDING = Phase("building", _new_file("*/logs/build-*.txt"), 0.8)
GATES = Phase("gates", _said("honesty gates"), 8.0)
WARM_UP = Phase("warm-up", _new_file("*/logs/*/*.warm-up.txt"), 0.12)
LOAD = Phase("load", _new_file("*/logs/*/*.load.txt"), 0.7)
WRITING = Phase("writing a trial", _grown, 0.004)
HEAD = Phase("writing the head", _new_file("*/.run.json.*.partial"), 0.002)
DUET_LOAD = Phase("duet", _new_file("*/logs/*/*.duet-*.load.txt"), 0.7)
GATHERING = Phase("fleet gathering", _new_file("*/logs/fleet.txt"), 3.0)
FLEET_LOAD = Phase("fleet load", _new_file("*/logs/*/*.load.txt"), 1.2)
BETWEEN = Phase("between trials", _grown, 0.6)
RENDERING = Phase("rendering", _rendering, 1.5)
ANYWHERE = Phase("anywhere", _handlers, 6.0)
