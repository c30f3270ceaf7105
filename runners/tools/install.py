"""Installs missing tools: as system packages if permitted, else into the user's cache.

Nothing here prompts or needs more rights than the caller has. Every command and everything it prints goes to a log.
What could not be installed is one sentence in the tool's status, never an exception. Files are moved into the cache by
a rename at the end, so an interruption leaves nothing that looks complete.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from runners.errors import SpeedupError
from runners.matrix.model import Tool
from runners.records.scratch import locked_folder, remove_abandoned, scratch_folder
from runners.system.processes import Enclosure, start, stop, wait
from runners.tools.find import (
    Host,
    ToolStatus,
    Way,
    apt_words,
    cached_folder,
    find_tools,
    launcher_folder,
    launchers,
    programs,
    ways,
)
from runners.tools.stamp import is_old, write_stamp

log = logging.getLogger(__name__)

STEP_DEADLINE_S = 900.0
STOP_DEADLINE_S = 10.0
STOPPING = ((signal.SIGTERM, STOP_DEADLINE_S), (signal.SIGKILL, STOP_DEADLINE_S))
FRESH_LISTS_S = 24 * 3600.0
APT_LISTS = Path("/var/lib/apt/lists")
POLICY = Path("/usr/sbin/policy-rc.d")
WITHOUT_SERVICES = Path(__file__).with_name("without_services.sh")
APT_OPTIONS = ("-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "LC_ALL": "C.UTF-8",
}

OFFLINE = re.compile(
    r"temporary failure|could not resolve|connection (broken|refused|timed out)|unreachable|proxyerror",
    re.IGNORECASE,
)

WORDS: dict[Way, str] = {
    "package": "installing Debian packages for {names}",
    "wheel": "installing {names} from Python wheels into {cache}",
    "unpack": "unpacking Debian packages for {names} into {cache}",
}


class StepFailed(Exception):
    """A command of an installation failed; the message is a sentence. It never leaves this module."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Runs the commands that install tools, one after another, with one log."""

    path: str
    log: Path
    deadline_s: float = STEP_DEADLINE_S

    def run(self, what: str, argv: list[str], *, whole: bool = False, temporary: Path | None = None) -> None:
        """Run one command to its end; raise StepFailed, with the reason in a sentence, if `what` fails.

        One that must end by itself, `whole`, is waited for even if the user wants to stop. Others may be killed, and
        then leave their temporary files; so these go into the folder `temporary`.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"\n$ {shlex.join(argv)}\n".encode("utf-8", "replace"))
            log.flush()
            start = log.tell()
            status = self._status(argv, log, {"TMPDIR": str(temporary)} if temporary else {}, whole=whole)
        if status != 0:
            ended = "took too long" if status is None else f"ended with exit status {status}"
            raise StepFailed(f"{what} {ended}{self._why(start)} (full output: {self.log})")

    def _status(self, argv: list[str], output: IO[bytes], env: dict[str, str], *, whole: bool) -> int | None:
        """Run a command and return its exit status, None if it took too long; nothing of it outlives this process.

        Only what must end by itself does, since the system's package manager may not be killed half-way.
        """
        environment = os.environ | QUIET | {"PATH": self.path} | env
        try:
            if whole:
                return self._whole(argv, output, environment)
            process = start(argv, output=output, env=environment, enclosure=Enclosure())
        except OSError as error:
            raise StepFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
        try:
            return process.poll() if wait(process, self.deadline_s) else None
        finally:
            stop(process, STOPPING)

    def _whole(self, argv: list[str], output: IO[bytes], environment: Mapping[str, str]) -> int | None:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            return process.wait(self.deadline_s)
        except subprocess.TimeoutExpired:
            return None
        except BaseException:
            _wait_whatever_comes(process, argv[0])
            raise
        finally:
            _end_group(process)

    def _why(self, start: int) -> str:
        with self.log.open("rb") as log:
            log.seek(start)
            return explanation(log.read().decode(errors="replace"))


def _wait_whatever_comes(process: subprocess.Popen[bytes], name: str) -> None:
    """Wait for a command's end, also if the user insists; a package that is half installed breaks others."""
    log.warning("waiting until the installation of Debian packages has ended, so that none is left half installed")
    while process.poll() is None:
        try:
            process.wait()
        except (KeyboardInterrupt, SpeedupError):
            log.warning(f"still waiting for {name}")


def explanation(output: str) -> str:
    """Return what a failed command printed about its failure, after a colon; empty if it printed nothing."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error"))]
    offline = "; the network seems to be unreachable" if OFFLINE.search(output) else ""
    return f": {(errors or lines)[-1][:200]}{offline}" if lines else ""


def install_tools(
    tools: Mapping[str, Tool],
    names: Iterable[str],
    host: Host,
    *,
    log_file: Path | None = None,
) -> dict[str, ToolStatus]:
    """Install those of the named tools that are missing; return the status of all named tools afterwards.

    Tools that cannot be installed have a `reason`.
    """
    statuses = find_tools(tools, names, host)
    steps = Steps(path=host.path, log=log_file or host.cache / "tools.log")
    failures: dict[str, str] = {}
    for way, bring in BRINGERS.items():
        lacking = [name for name, status in statuses.items() if not (status.found or status.path)]
        wanted = {name: tools[name] for name in lacking if way in ways(tools[name], host)}
        if wanted:
            log.info(WORDS[way].format(names=", ".join(wanted), cache=host.cache))
            failures |= dict.fromkeys(wanted, f"it was installed but does not run (see {steps.log})")
            failures |= _attempt(bring, wanted, host, steps)
            statuses |= find_tools(tools, wanted, host)
    _renew(tools, statuses, host, steps)
    return {name: _explained(status, failures.get(name)) for name, status in statuses.items()}


def _renew(tools: Mapping[str, Tool], statuses: dict[str, ToolStatus], host: Host, steps: Steps) -> None:
    """Unpack Debian packages again that lie in the cache for long; if that fails, those that are there go on."""
    cached = {name: tools[name] for name, status in statuses.items() if status.source == "cache"}
    old = {
        name: tool
        for name, tool in cached.items()
        if tool.wheel is None and (folder := cached_folder(name, tool, host)) is not None and is_old(folder)
    }
    if old:
        log.info(f"renewing Debian packages for {', '.join(old)} in {host.cache}")
        for name, why in _attempt(bring_unpacked, old, host, steps).items():
            log.warning(f"{tools[name].title or name} stays as it is: {why}")
        statuses |= find_tools(tools, old, host)


def _attempt(bring: Bring, wanted: Mapping[str, Tool], host: Host, steps: Steps) -> dict[str, str]:
    try:
        return bring(wanted, host, steps)
    except OSError as error:
        return dict.fromkeys(wanted, f"{error.strerror or error}: {error.filename or host.cache}")


def _explained(status: ToolStatus, failure: str | None) -> ToolStatus:
    return status if status.found or failure is None else replace(status, reason=failure)


def bring_packages(wanted: Mapping[str, Tool], host: Host, steps: Steps) -> dict[str, str]:
    """Install Debian packages, all at once or else tool by tool; return the reason for each tool that failed."""
    try:
        if _are_stale(APT_LISTS):
            steps.run("apt-get update", [*_as_root(host), "apt-get", *APT_OPTIONS, "update"], whole=True)
    except StepFailed:
        pass  # the packages may still be available; if not, the next step says why
    try:
        _install_packages(wanted.values(), host, steps)
    except StepFailed as failed:
        if len(wanted) == 1:
            return dict.fromkeys(wanted, str(failed))
    else:
        return {}
    return _each(wanted, lambda _, tool: _install_packages([tool], host, steps))


def _install_packages(wanted: Collection[Tool], host: Host, steps: Steps) -> None:
    """Install the packages of tools; no installed package is removed for them, and no service is started."""
    packages = [package for tool in wanted for package in tool.debian]
    services = " ".join(service for tool in wanted for service in tool.services)
    quietly = [*_as_root(host), "sh", str(WITHOUT_SERVICES), str(POLICY), services]
    verb, *words = apt_words(packages)
    options = ["-y", "--no-install-recommends", "--no-remove"]
    steps.run("apt-get install", [*quietly, "apt-get", *APT_OPTIONS, verb, *options, *words], whole=True)


def bring_wheels(wanted: Mapping[str, Tool], host: Host, steps: Steps) -> dict[str, str]:
    """Install hashed wheels, each set in its own environment in the cache; return the reason for each failure."""
    built: dict[Path, str | None] = {}

    def bring(name: str, tool: Tool) -> None:
        folder = cached_folder(name, tool, host)
        if folder is None or tool.wheel is None:
            return
        requirements = host.requirements / f"{tool.wheel.requirements}.txt"
        if folder not in built:
            built[folder] = _reason(lambda: _build_environment(folder, requirements, host, steps))
        if reason := built[folder]:
            raise StepFailed(reason)
        _write_launchers(tool, folder, host)

    return _each(wanted, bring)


def bring_unpacked(wanted: Mapping[str, Tool], host: Host, steps: Steps) -> dict[str, str]:
    """Download Debian packages with their dependencies and unpack them in the cache; return the failures' reasons."""
    with scratch_folder("http-speedup-apt-") as scratch:
        apt = ["apt-get", *APT_OPTIONS, *_private_apt(scratch)]
        if reason := _reason(lambda: _update(apt, scratch / "state/lists", steps)):
            return dict.fromkeys(wanted, reason)

        def bring(name: str, tool: Tool) -> None:
            if folder := cached_folder(name, tool, host):
                _unpack(tool, folder, apt, scratch / "cache/archives", steps)
                _write_launchers(tool, folder, host)

        return _each(wanted, bring)


Bring = Callable[[Mapping[str, Tool], Host, Steps], dict[str, str]]
BRINGERS: dict[Way, Bring] = {"package": bring_packages, "wheel": bring_wheels, "unpack": bring_unpacked}


def _each(wanted: Mapping[str, Tool], bring: Callable[[str, Tool], None]) -> dict[str, str]:
    """Install tools one by one and return the reasons for those that failed."""
    reasons = ((name, _reason(partial(bring, name, tool))) for name, tool in wanted.items())
    return {name: reason for name, reason in reasons if reason}


def _reason(step: Callable[[], None]) -> str | None:
    try:
        step()
    except StepFailed as failed:
        return str(failed)
    return None


def _build_environment(folder: Path, requirements: Path, host: Host, steps: Steps) -> None:
    with _made(folder) as made, tempfile.TemporaryDirectory(prefix=".tmp-", dir=made) as scratch:
        run = partial(steps.run, temporary=Path(scratch))
        run("python -m venv", [sys.executable, "-m", "venv", "--without-pip", str(made)])
        python = str(made / "bin/python")
        hashed = ["--require-hashes", "-r", str(requirements)]
        if importlib.util.find_spec("pip"):
            run("pip install", [sys.executable, "-m", "pip", "--python", python, "install", *hashed])
        elif host.has("uv"):
            run("uv pip install", ["uv", "pip", "install", "--python", python, *hashed])
        else:
            run("python -m ensurepip", [python, "-m", "ensurepip"])
            run("pip install", [python, "-m", "pip", "install", *hashed])


def _update(apt: list[str], lists: Path, steps: Steps) -> None:
    steps.run("apt-get update", [*apt, "update"])
    if _are_stale(lists):  # apt-get succeeds even if it got nothing at all
        raise StepFailed(f"apt-get update got no package lists; is the network reachable? (see {steps.log})")


def _unpack(tool: Tool, folder: Path, apt: list[str], archives: Path, steps: Steps) -> None:
    # Libraries that are already installed are not downloaded.
    get = ["install", "-y", "--no-install-recommends", "--download-only", "--reinstall"]
    steps.run("apt-get install --download-only", [*apt, *get, *tool.debian])
    with _made(folder) as made:
        for archive in sorted(archives.glob("*.deb")):
            steps.run("dpkg-deb", ["dpkg-deb", "-x", str(archive), str(made)])
            archive.unlink()
        write_stamp(tool, made, programs(tool, made))


def _private_apt(scratch: Path) -> list[str]:
    """Return the options with which apt-get needs no special rights: its own lists and downloads."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    options = {
        "Dir::State": scratch / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": scratch / "cache",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """Yield a new folder next to `folder`; it replaces `folder` if all goes well, and is removed otherwise.

    It is locked as long as this process works in it, so that what a killed one left is known, and removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent, ".new-")
    made, lock = locked_folder(folder.parent, ".new-")
    try:
        yield made
        made.chmod(0o755)
        if folder.exists():  # it was unusable, or another process was faster: the new one is at least as good
            folder.rename(Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent)))
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        for old in folder.parent.glob(".old-*"):
            shutil.rmtree(old, ignore_errors=True)
        os.close(lock)


def _write_launchers(tool: Tool, folder: Path, host: Host) -> None:
    launcher_folder(host).mkdir(parents=True, exist_ok=True)
    for command, text in launchers(tool, folder).items():
        file = launcher_folder(host) / command
        new = file.with_name(f".{command}.{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(file)


def _as_root(host: Host) -> list[str]:
    # sudo drops the environment, and with it the variables that keep packages from asking questions.
    variables = [f"{key}={value}" for key, value in QUIET.items() if not key.startswith("PIP")]
    return ["sudo", "-n", "env", *variables] if host.privilege == "sudo" else []


def _are_stale(lists: Path) -> bool:
    """Return whether apt's package lists are missing or more than a day old."""
    times = [file.stat().st_mtime for file in lists.glob("*Packages*")] if lists.is_dir() else []
    return not times or time.time() - max(times) > FRESH_LISTS_S


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Stop a command that still runs, and everything it started: with SIGTERM first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            continue
