"""What an attack may leave behind, as the kernel tells it: processes, namespaces, cgroups, mounts, settings, files.

The attacker adopts orphans (PR_SET_CHILD_SUBREAPER), so whatever a run started is its descendant for ever, whatever it
does to its environment, its session or its pid namespace. Nothing that others do on the machine is mistaken for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from runners.records.files import PARTIAL
from runners.server.build_cache import HASH_SUFFIX
from runners.system.enclosure.cgroup import MOUNTS, PREFIX
from runners.system.network import SHOWN
from runners.system.tuning import KNOBS, SAVED
from tests.chaos.ground import Ground

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 5.0
HOST = re.compile(r"speedup\d+-(server|client\d+)")  # see benchmarks.hosts
KINDS_OF_NAMESPACES = ("pid", "net", "mnt", "user")

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Let whatever loses its parent below this process become its child."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


@dataclass(frozen=True)
class World:
    """What is the same before and after a run."""

    settings: tuple[tuple[str, str], ...]
    cgroups: frozenset[str]
    mounts: tuple[str, ...]
    networks: frozenset[str]


def world(*, tuned: bool = False) -> World:
    """Return it as it is now; what `--tune` changes is only looked at by who uses it, since all runs share it."""
    return World(_settings(tuned=tuned), _cgroups(), _mounts(), _named_networks())


def descendants(spared: Sequence[int] = ()) -> list[psutil.Process]:
    """Return whatever runs below this process, but what is spared with all below it; collect ended orphans."""
    left_alone = {*spared, *_below(spared)}
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
            elif process.ppid() == os.getpid() and process.pid not in left_alone:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
    return [process for process in found if process.pid not in left_alone]


def _below(pids: Sequence[int]) -> list[int]:
    found: list[int] = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found += [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return found


def left_running(spared: Sequence[int] = (), patience_s: float = PATIENCE_S) -> list[str]:
    """Return what still runs once there was time to end, each with the namespaces of its own that it keeps alive."""
    deadline = time.monotonic() + patience_s
    while (found := descendants(spared)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"process {process.pid}: {_described(process)}" for process in found]


def _described(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        own = [kind for kind in KINDS_OF_NAMESPACES if _namespace(process.pid, kind) != _namespace(os.getpid(), kind)]
        return f"{' '.join(process.cmdline())[:120]}{f' (in namespaces of its own: {own})' if own else ''}"
    return "?"


def _namespace(pid: int, kind: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())


def changed(before: World, *, tuned: bool = False) -> list[str]:
    """Return what is not as it was: settings, cgroups, mounts, named networks."""
    now = world(tuned=tuned)
    new = [f"setting {name}: {value}" for name, value in now.settings if (name, value) not in before.settings]
    new += [f"cgroup {name}" for name in now.cgroups - before.cgroups if not _has_members(name)]
    new += [f"mount {line}" for line in now.mounts if line not in before.mounts]
    return new + [f"network {name}" for name in now.networks - before.networks]


def _settings(*, tuned: bool) -> tuple[tuple[str, str], ...]:
    root = Path("/")
    files = [Path("/proc/sys", name) for name in SHOWN]
    files += [file for knob in KNOBS if tuned for file in sorted(root.glob(knob.files))]
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            found.append((str(file), " ".join(file.read_text(encoding="utf-8").split())))
    return tuple(found)


def _cgroups() -> frozenset[str]:
    return frozenset(
        str(found) for mount in MOUNTS if mount.is_dir() for found in mount.glob(f"**/{PREFIX}*") if found.is_dir()
    )


def _has_members(cgroup: str) -> bool:
    """Return whether something lives there: another run of somebody, since nothing of ours runs any more."""
    with contextlib.suppress(OSError):
        return bool(Path(cgroup, "cgroup.procs").read_text(encoding="ascii").strip())
    return True


def _mounts() -> tuple[str, ...]:
    """Return what is mounted on "/" and /proc, with its options, where a namespace's mounts would appear."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    return tuple(" ".join(words[2:6]) for words in lines if words[4] in {"/", "/proc"})


def _named_networks() -> frozenset[str]:
    """Return them without the hosts of a fleet that another attack has made."""
    folder = Path("/run/netns")
    names = frozenset(file.name for file in folder.iterdir()) if folder.is_dir() else frozenset()
    return frozenset(name for name in names if not HOST.fullmatch(name))


def left_in(ground: Ground) -> list[str]:
    """Return the temporary files in a folder where a run has ended, and nothing runs."""
    own = ground.cache / "http-speedup"
    partial = [*ground.results.glob(f"*/.*{PARTIAL}"), *own.rglob(f".*{PARTIAL}"), *own.glob("builds/.*.link")]
    abandoned = [
        folder
        for folder in own.glob("builds/*.*")
        if folder.suffix != HASH_SUFFIX and not folder.is_symlink() and not _is_led_to(folder)
    ]
    abandoned += own.glob("wheels/.[no]??-*")  # .new- and .old-
    empty = [each for each in ground.results.glob("[!.]*") if not (each / "run.json").exists()]
    saved = [file] if (file := saved_settings(ground)).exists() else []
    return [f"file {file}" for file in (*partial, *abandoned, *empty, *saved, *ground.temporary.iterdir())]


def saved_settings(ground: Ground) -> Path:
    """Return the file that says what is to be restored."""
    return ground.cache / "http-speedup" / SAVED


def _is_led_to(folder: Path) -> bool:
    link = folder.with_name(folder.stem)
    return link.is_symlink() and link.resolve() == folder.resolve()
