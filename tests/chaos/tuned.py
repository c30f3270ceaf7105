"""Kills runs that have changed settings of the machine: restored right after, or after SIGKILL by the next start."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.system.tuning import ROOT, restore, wanted_changes
from tests.chaos.attack import Attack
from tests.chaos.kills import end
from tests.chaos.phases import TUNED

GENTLE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOCK = Path(tempfile.gettempdir()) / "http-speedup-chaos-tuned.lock"


def tuned(attack: Attack) -> None:
    """Kill a run with `--tune` in several ways, also twice without a chance to restore anything in between."""
    with _alone_on_machine():
        if why := _why_not():
            attack.cannot("kills of a tuned run", why)
            return
        attack.ground.write(blocks=2, nonce=0)
        attack.tune()
        try:
            for number in (signal.SIGKILL, signal.SIGKILL, attack.chance.choice(GENTLE)):
                _kill(attack, number)
            attack.finish()
        finally:
            restore(attack.ground.cache / "http-speedup")


@contextmanager
def _alone_on_machine() -> Iterator[None]:
    """Wait until no other attack changes settings: there is only one machine."""
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _why_not() -> str | None:
    """Return why no setting can be changed here; None if one can."""
    if os.geteuid() != 0:
        return "only root may change settings"
    for change in wanted_changes():
        try:
            (ROOT / change.file).write_text(change.before, encoding="utf-8")
        except OSError:
            continue
        return None
    return "there is no setting here that --tune would change and that can be written"


def _kill(attack: Attack, number: signal.Signals) -> None:
    session = attack.ground.start(attack.ground.words("--skip-gates", "--tune"))
    if TUNED.reach(attack.ground, session, attack.chance):
        end(attack, session, number, "a tuned run", TUNED)
