"""Where a run is attacked: a folder with its own matrix, sources, cache and results, and nothing of anybody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from runners.tools.find import cache_folder, launcher_folder, this_host
from tests.chaos.session import Session
from tests.support import ROOT
from tests.support.bench import VALIDITY

MATRIX = """
[suite]
title = "Chaos"
modes = ["persistent"]

[preset.quick]
warmup = "100ms"
duration = "{duration}"
blocks = {{ min = {blocks}, max = {blocks} }}
checked = "1s"
twin = false

{validity}
lost_segments = "1%"

[machine.local]
threads = [1]
connections = [4]

[limits]
memory = "200MiB"
processes = 40
"""
SERVERS = """
[server.floor]
needs = ["cc"]
flags = ["-DATTACKED={nonce}"]  # not a program that another attack has built
build = ["gcc", "-O1", "-pthread", "{{flags}}", "-o", "{{out}}", "{{dir}}/floor.c"]
run = ["{{out}}", "{{host}}", "{{port}}", "{{threads}}"]
config = "floor.conf"

[server.python_epoll]
needs = ["python3"]
run = ["python3", "{{dir}}/server.py", "--host={{host}}", "--port={{port}}", "--threads={{threads}}"]
env = {{ PYTHONDONTWRITEBYTECODE = "1" }}
"""
NOXFILE = """
import sys
import nox
sys.path.insert(0, {root!r})
from noxfile import measure

@nox.session(venv_backend="none")
def bench(session):
    measure(session, *session.posargs)
"""
CONFIG_BYTES = 300_000  # so that a disk that fills up is full in the middle of a config file, too
NOTHING: Mapping[str, str] = MappingProxyType({})
DUET = ("--duet", "python_epoll", "floor")


class Ground:
    """A folder to be attacked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.cache, self.results = folder, folder / "cache", folder / "results"
        self.temporary, self.number = folder / "tmp", 0
        self.matrix = folder / "matrix.toml"
        self.temporary.mkdir()
        self.sessions: list[Session] = []
        own = self.cache / "http-speedup"
        own.mkdir(parents=True)
        self.before: Sequence[str] = ()
        self.tools = launcher_folder(this_host())
        if (cache_folder() / "matplotlib").exists():
            (own / "matplotlib").symlink_to(cache_folder() / "matplotlib")

    def forget_tool(self, name: str) -> None:
        """Let a tool be missing that the user's cache has."""
        known, self.tools = self.tools, self.folder / "tools"
        self.tools.mkdir()
        for launcher in known.glob("*"):
            if launcher.name != name:
                (self.tools / launcher.name).symlink_to(launcher)

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of a run here."""
        python = os.path.dirname(sys.executable)  # noqa: PTH120
        path = os.pathsep.join([python, os.environ.get("PATH", os.defpath), str(self.tools)])
        own = {"XDG_CACHE_HOME": str(self.cache), "TMPDIR": str(self.temporary), "PATH": path, "PYTHONPATH": str(ROOT)}
        return {**os.environ, **own, "MPLCONFIGDIR": str(cache_folder() / "matplotlib")}

    def write(
        self, *, blocks: int, nonce: int, servers: str | None = None, validity: str = "", duration: str = "500ms"
    ) -> None:
        """Write a matrix; without `servers`, of two of ours with copies of their sources."""
        text = MATRIX.format(blocks=blocks, validity=VALIDITY + validity, duration=duration)
        if servers is None:
            for name in ("floor", "python_epoll"):
                shutil.copytree(ROOT / "servers" / name, self.folder / "servers" / name)
            (self.folder / "servers/floor/floor.conf").write_text("# nothing\n" * (CONFIG_BYTES // 10))
        self.matrix.write_text(text + (servers or SERVERS.format(nonce=nonce)), encoding="utf-8")

    @property
    def run(self) -> Path | None:
        """Return the run folder, if there is one that can be resumed."""
        folders = sorted(self.results.iterdir()) if self.results.exists() else []
        return next((folder for folder in reversed(folders) if (folder / "run.json").exists()), None)

    def words(self, *more: str) -> list[str]:
        """Return what begins the run, or completes it."""
        if self.run is None:
            return ["run", "--matrix", str(self.matrix), "--results", str(self.results), *more]
        return ["run", "--resume", str(self.run)]

    def start(
        self, words: Sequence[str], *, by: str = "plain", before: Sequence[str] = (), env: Mapping[str, str] = NOTHING
    ) -> Session:
        """Start a command of ours: plainly, on a terminal, or through nox on a terminal; `before` stands before it."""
        self.number += 1
        argv = [*(before or self.before), sys.executable, "-m", "speedup", *words]
        if by == "nox":
            file = self.folder / "noxfile.py"
            file.write_text(NOXFILE.format(root=str(ROOT)), encoding="utf-8")
            argv = ["nox", "--noxfile", str(file), "--session", "bench", "--", *words]
        log = self.folder / f"session{self.number}"
        session = Session(argv, self.folder, {**self.env, **env}, log, on_terminal=by != "plain")
        self.sessions.append(session)
        return session

    def do(self, words: Sequence[str], *, limit_s: float = 180.0, before: Sequence[str] = ()) -> Session:
        """Run a command of ours to its end."""
        session = self.start(words, before=before)
        session.wait(limit_s)
        return session

    def close(self) -> None:
        """End what a failure has left running, by its pid, and delete the folder."""
        for session in self.sessions:
            session.close()
        subprocess.run(["umount", "--quiet", str(self.results)], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
