"""Damages what a run needs: full disks, flipped bits, edited sources."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

from tests.chaos.attack import LIMIT_S, TRACEBACK, Attack, wrong_resume_line
from tests.chaos.ground import DUET
from tests.chaos.judging import lines_of, verified
from tests.chaos.phases import BETWEEN, LOAD, WARM_UP, WRITING, Phase
from tests.chaos.session import Session

ENDS_S = 90.0
DISK = "6m"
BUILT = "cache/http-speedup/builds/floor-*/program"
NOTICED = (" changed since this run began", ", built for floor, was changed or replaced")
FULL = os.strerror(errno.ENOSPC)
NUMBER = re.compile(r"trials\.jsonl:(\d+): ")


def full_disks(attack: Attack) -> None:
    """Fill the disk of the results at random instants, also before the run begins; then free it and resume."""
    attack.ground.write(blocks=3, nonce=0)
    attack.ground.results.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(attack.ground.results)]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        attack.cannot("full disk", "only root may mount a small file system")
        return
    try:
        for phase in (None, *attack.chance.sample((LOAD, WARM_UP, WRITING, BETWEEN, LOAD), 5)):
            _fill(attack, phase)
        attack.finish()
    finally:
        subprocess.run(["umount", str(attack.ground.results)], check=False)


def _fill(attack: Attack, phase: Phase | None) -> None:
    filler = attack.ground.results.parent / "results/.filler"
    spare = attack.chance.choice((0, 0, 4096, 100_000))
    if phase is None:
        _take_all(filler, spare)
    session = attack.ground.start(attack.ground.words("--skip-gates", *DUET))
    if phase is not None and phase.reach(attack.ground, session, attack.chance):
        _take_all(filler, spare)
    session.wait(ENDS_S)
    known, failed = len(attack.lines), b'"verdict":"failed"'
    blamed = [line[:300].decode() for line in lines_of(attack.ground.run)[known:] if failed in line]
    if filler.exists():
        filler.unlink()
        wrong = [
            *_wrong_when_full(attack, session),
            *(f"a full disk was blamed on a server: {each}" for each in blamed),
        ]
        attack.judge("full disk", f"{phase.name if phase else 'before the start'}, {spare} bytes free", wrong)


def _take_all(filler: Path, spare: int) -> None:
    """Leave only so many bytes of the file system."""
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * 65536)
        except OSError:
            stream.truncate(max(0, stream.tell() - spare))


def _wrong_when_full(attack: Attack, session: Session) -> list[str]:
    """Return what is wrong: it ends with 1, names the disk, and says how to resume or to write the report again."""
    said = session.said
    if session.code is None or TRACEBACK in said:
        return [f"ended with {session.code}: {said[-1500:]}"]
    if session.code == 0:  # there was room enough
        return []
    wrong = [] if session.code == 1 else [f"ended with {session.code}: {said[-500:]}"]
    if FULL not in said:
        wrong.append(f"does not name the disk: {said[-800:]}")
    unwritten = "the report could not be written" in said
    return wrong + ([] if unwritten else wrong_resume_line(attack, session))


def flipped_bits(attack: Attack) -> None:
    """Flip bits of trials.jsonl and of run.json; each costs the line that it is in, which is named."""
    attack.ground.write(blocks=4, nonce=0)
    duets = DUET if attack.chance.random() < 0.5 else ()
    attack.ground.do(attack.ground.words("--skip-gates", *duets))
    for _ in range(2):
        if attack.ground.run is None:
            return
        _flip_in_head(attack, attack.ground.run)
        for _ in range(attack.chance.choice((6, 7))):
            _flip_in_trials(attack, attack.ground.run)
        session = attack.ground.do(attack.ground.words())
        if session.code not in {0, 1}:
            attack.judge(
                "flipped bit in trials.jsonl", "resumed", [f"ended with {session.code}: {session.said[-500:]}"]
            )
    attack.finish()


def _flipped(attack: Attack, data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << attack.chance.randrange(8)]) + data[place + 1 :]


def _flip_in_trials(attack: Attack, run: Path) -> None:
    """Flip a bit of a line that is good; `verify` names that line, and no other."""
    file = run / "trials.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    named_before = _named(run)
    good = [number for number in range(len(lines)) if number + 1 not in named_before]
    if not good:
        return
    chosen = attack.chance.choice(good)
    place = attack.chance.randrange(len(lines[chosen]) - 1)  # its end is another matter: two lines join
    damaged = _flipped(attack, lines[chosen], place)
    if b"\n" in damaged[:-1]:  # nor is one line that becomes two
        return
    file.write_bytes(b"".join([*lines[:chosen], damaged, *lines[chosen + 1 :]]))
    attack.lines = (*lines[:chosen], *lines[chosen + 1 :])
    attack.bad_lines += 1
    named = _named(run)
    wrong = [] if named == named_before | {chosen + 1} else [f"line {chosen + 1} is damaged, and named were {named}"]
    attack.judge("flipped bit in trials.jsonl", f"byte {place} of line {chosen + 1}", wrong)


def _named(run: Path) -> set[int]:
    lines = [line for line in verified(run)[1].splitlines() if not line.endswith(("set aside", "ignored"))]
    return {int(found[1]) for line in lines if (found := NUMBER.search(line))}


def _flip_in_head(attack: Attack, run: Path) -> None:
    """Flip a bit of run.json: it is not completed before that is undone."""
    file = run / "run.json"
    data = file.read_bytes()
    place = attack.chance.randrange(len(data))
    file.write_bytes(_flipped(attack, data, place))
    code, words = verified(run)
    session = attack.ground.do(attack.ground.words())
    file.write_bytes(data)
    wrong = [] if code == 2 and "run.json" in words else [f"verify ended with {code}: {words}"]
    if session.code != 2 or "run.json" not in session.said or TRACEBACK in session.said:
        wrong.append(f"a resume ended with {session.code}: {session.said[-500:]}")
    attack.judge("flipped bit in run.json", f"byte {place}", wrong)


def edits(attack: Attack) -> None:
    """Edit what is measured during a run; it ends and says so, and goes on once that is undone."""
    attack.ground.write(blocks=6, nonce=0)
    sources = ("servers/floor/floor.c", "servers/floor/floor.conf", "servers/python_epoll/server.py")
    for name in (*attack.chance.sample(sources, 3), BUILT, "matrix.toml"):
        _edit(attack, name)
    attack.finish()


def _edit(attack: Attack, pattern: str) -> None:
    """Edit a file once each server has been measured: what is written before that is taken for data."""
    session = attack.ground.start(attack.ground.words("--skip-gates", *DUET))
    if not session.until(lambda: len(lines_of(attack.ground.run)) >= 2, ENDS_S):
        return
    if not attack.chance.choice((LOAD, WARM_UP, BETWEEN)).reach(attack.ground, session, attack.chance):
        return
    file = next(attack.ground.folder.glob(pattern))
    kept, noticed = file.read_bytes(), file != attack.ground.matrix
    _rewrite(file, kept + b"# edited\n")
    session.wait(ENDS_S if noticed else LIMIT_S)  # the matrix is not looked at, so it goes on to its end
    _rewrite(file, kept)
    wrong = [f"a traceback: {session.said[-1500:]}"] if TRACEBACK in session.said else []
    if noticed and session.code in {0, 1}:
        return  # it had been measured to the end
    if session.code != (2 if noticed else 0):
        wrong.append(f"ended with {session.code}: {session.said[-800:]}")
    if noticed:
        wrong += [] if any(f"{file.name}{words}" in session.said for words in NOTICED) else ["does not name the file"]
        wrong += wrong_resume_line(attack, session)
    attack.judge("edit during a run", file.name, wrong)


def _rewrite(file: Path, data: bytes) -> None:
    """Replace a file's content, also of a program that runs: by another file of its name."""
    new = file.with_name(f"{file.name}.edited")
    new.write_bytes(data)
    new.chmod(file.stat().st_mode)
    new.replace(file)
