"""Finds the programs that servers, load generators and tests need, and says how to install those that are missing.

A tool is looked for on the PATH first, then in the user's cache, which `runners.tools.install` fills. A cached tool
counts only if its launcher is the one that the current tool data would write and it still runs, so an interrupted or
outdated installation is never mistaken for a complete one.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tomli

from runners import resources
from runners.errors import UnfitMachine
from runners.file_hash import file_hash
from runners.matrix.model import Tool
from runners.tools.stamp import is_as_unpacked

VERSION_DEADLINE_S = 30.0  # on a busy machine Java, Locust and uvicorn take a while, and must not be taken for missing
ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not on an ordinary user's PATH in Debian
HEADER_FOLDERS = ("/usr/local/include", "/usr/include", "/opt/homebrew/include")
CANNOT_RUN = (None, 126, 127)  # how sh and env report that there is no such program
TOOL_DATA = Path(__file__).with_name("tools.toml")

Privilege = Literal["root", "sudo", "none"]
Way = Literal["package", "wheel", "unpack"]

# Loads a library in its own process and prints which file that was.
_LOAD_LIBRARY = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])
stem = sys.argv[1].split(".so")[0]
print(next(line.split()[-1] for line in open("/proc/self/maps") if f"/{stem}." in line))
"""


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where tools are looked for, and what we may do there."""

    path: str
    cache: Path
    requirements: Path
    privilege: Privilege

    def has(self, command: str) -> bool:
        """Return whether a command is on the PATH."""
        return shutil.which(command, path=self.path) is not None


@dataclass(frozen=True, kw_only=True)
class ToolStatus:
    """What is known about a tool on this machine.

    `version` is the line that the tool printed, `brings` the command that installs it, and `reason` why it is missing
    or could not be installed. A tool that is missing has a `path` if another program there has its name.
    """

    name: str
    title: str
    status: Literal["found", "installable", "missing"]
    purpose: tuple[str, ...] = ()
    source: Literal["system", "cache"] | None = None
    path: str | None = None
    version: str | None = None
    brings: str | None = None
    hint: str = ""
    reason: str | None = None

    @property
    def found(self) -> bool:
        """Return whether the tool can be used."""
        return self.status == "found"

    @property
    def remedy(self) -> str:
        """Return how to install a missing tool, in one line."""
        return (
            f"Install it with: {self.brings}"
            if self.brings
            else self.hint or self.reason or "No known way to install it"
        )

    @property
    def fault(self) -> str:
        """Return why a tool that was not found cannot be used, and how to get it, in one line."""
        return f"{self.reason if self.path else f'{self.title} is missing'}. {self.remedy}"


def cache_folder() -> Path:
    """Return the user's folder for whatever can be created again: tools, built servers, the lock of a run."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "http-speedup"


def writable_cache() -> Path:
    """Return that folder, created if it is missing; raise UnfitMachine if nothing can be written there."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UnfitMachine(
            f"cannot write to the cache {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder of yours"
        ) from error
    return folder


def this_host() -> Host:
    """Return this machine as it is now; all this does is to read the environment and run `sudo -n true`."""
    path = search_path(os.environ.get("PATH", os.defpath))
    return Host(
        path=path,
        cache=cache_folder(),
        requirements=resources.root() / "requirements",
        privilege=privilege(path),
    )


def search_path(path: str) -> str:
    """Return a PATH that also includes the folders for administrators, with nginx, ip and sshd."""
    folders = path.split(os.pathsep)
    return os.pathsep.join([*folders, *(folder for folder in ADMIN_FOLDERS if folder not in folders)])


def privilege(path: str) -> Privilege:
    """Return how packages may be installed: as root, with a sudo that asks for no password, or not at all."""
    if os.geteuid() == 0:
        return "root"
    sudo = shutil.which("sudo", path=path)
    return "sudo" if sudo and _output([sudo, "-n", "true"], path)[0] == 0 else "none"


def known_tools() -> dict[str, Tool]:
    """Return the tools that the project itself knows (runners/tools/tools.toml)."""
    tables = tomli.loads(TOOL_DATA.read_text(encoding="utf-8"))["tool"]
    return {name: Tool.model_validate(table) for name, table in tables.items()}


def serving(tools: Mapping[str, Tool], purposes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the tools that serve any of the purposes; all tools if no purpose is given."""
    wanted = set(purposes)
    return tuple(name for name, tool in tools.items() if not wanted or wanted.intersection(tool.purpose))


def find_tools(
    tools: Mapping[str, Tool], names: Iterable[str], host: Host, versions: Collection[str] | None = None
) -> dict[str, ToolStatus]:
    """Look for the named tools, several at a time; raise KeyError if a name is not among the tools.

    `versions` names the tools to start for their version, which can take a second; None: all of them. With names, what
    a matrix says of a tool is only looked up, and never run or loaded: that is the project's own tools' privilege.
    """
    wanted = {name: tools[name] for name in names}
    own = known_tools() if versions is not None else wanted

    def find(name: str) -> ToolStatus:
        runs = wanted[name] == own.get(name)
        return _find(name, wanted[name], host, Asking(runs, runs and (versions is None or name in versions)))

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(wanted, pool.map(find, wanted), strict=True))


@dataclass(frozen=True)
class Asking:
    """What may be done to find a tool: whether to run or load anything at all, and whether to ask for its version."""

    runs: bool
    version: bool


def tool_environment(statuses: Mapping[str, ToolStatus], host: Host) -> dict[str, str]:
    """Return the environment variables with which commands find the tools; the cache comes after the PATH."""
    cached = [Path(status.path) for status in statuses.values() if status.source == "cache" and status.path]
    libraries = [str(file.parent) for file in cached if ".so" in file.name]
    inherited = [folder for folder in [os.environ.get("LD_LIBRARY_PATH")] if folder]
    path = os.pathsep.join([host.path, str(launcher_folder(host))])
    return {"PATH": path} | ({"LD_LIBRARY_PATH": os.pathsep.join(inherited + libraries)} if libraries else {})


def short_version(line: str | None) -> str | None:
    """Return the version number in a line such as "go version go1.27.3 linux/amd64"."""
    match = re.search(r"\d+(?:\.\d+)+", line or "") or re.search(r"\d+", line or "")
    return match[0] if match else None


def is_older(line: str | None, oldest: str) -> bool:
    """Return whether the version in a line is older than `oldest`; an unknown version is not."""
    version = short_version(line)
    return version is not None and _numbers(version) < _numbers(oldest)


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers without trailing zeros: 1.26 and 1.26.0 are the same."""
    return tuple(map(int, re.sub(r"(\.0+)+$", "", version).split(".")))


def ways(tool: Tool, host: Host) -> tuple[Way, ...]:
    """Return the ways in which the tool can be installed here, in the order to try them."""
    return tuple(_ways(tool, host))


def brings(tool: Tool, host: Host) -> str | None:
    """Return the command that installs the tool, None if we know of none."""
    possible = ways(tool, host)
    if possible and (possible[0] != "package" or tool.services):
        return f"{resources.command_line()} doctor --install"
    if tool.debian and host.has("apt-get") and not tool.services:
        return shlex.join([*(["sudo"] if host.privilege != "root" else []), "apt-get", *apt_words(tool.debian)])
    if tool.brew and host.has("brew"):
        return shlex.join(["brew", "install", tool.brew])
    if tool.nimble and host.has("nimble"):
        return shlex.join(["nimble", "install", tool.nimble])
    return None


def apt_words(packages: Sequence[str]) -> list[str]:
    """Return apt-get's arguments to install packages; only `satisfy` understands alternatives such as "a | b"."""
    return ["satisfy" if any("|" in package for package in packages) else "install", *packages]


def launcher_folder(host: Host) -> Path:
    """Return the folder of the cache that goes on the PATH."""
    return host.cache / "bin"


def cached_folder(name: str, tool: Tool, host: Host) -> Path | None:
    """Return where the cache keeps the tool's files; None if the tool cannot be kept there.

    Wheels are kept under the hash of their requirements, so that other versions get another folder.
    """
    if tool.wheel is not None:
        file = host.requirements / f"{tool.wheel.requirements}.txt"
        if not file.is_file():
            return None
        digest = file_hash(file)
        return host.cache / "wheels" / f"{tool.wheel.requirements}-{digest[:12]}"
    return host.cache / "debian" / name if tool.debian and tool.relocatable else None


def launchers(tool: Tool, folder: Path) -> dict[str, str]:
    """Return the launcher script of each command of a tool whose files are in `folder`."""
    if tool.wheel is not None:
        filled = {
            command: [word.replace("{env}", str(folder)) for word in words]
            for command, words in tool.wheel.commands.items()
        }
    else:
        libraries = os.pathsep.join(map(str, library_folders(folder)))
        filled = {
            command: ["env", f"LD_LIBRARY_PATH={libraries}", str(_program(folder, command))]
            for command in tool.commands
        }
    return {command: f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n' for command, words in filled.items()}


def programs(tool: Tool, folder: Path) -> dict[str, Path]:
    """Return the program of each command of a tool whose Debian packages are unpacked in `folder`."""
    return {command: _program(folder, command) for command in tool.commands}


def _program(folder: Path, command: str) -> Path:
    """Return where unpacked Debian packages have a program; some programs are for administrators."""
    administrative = folder / "usr/sbin" / command
    return administrative if administrative.is_file() else folder / "usr/bin" / command


def library_folders(folder: Path) -> tuple[Path, ...]:
    """Return where unpacked Debian packages have their libraries."""
    triplet = f"{platform.machine()}-linux-gnu"
    return (folder / "usr/lib" / triplet, folder / "lib" / triplet, folder / "usr/lib")


def _ways(tool: Tool, host: Host) -> Iterator[Way]:
    debian = bool(tool.debian) and host.has("apt-get")
    if debian and host.privilege != "none" and not (tool.services and tool.relocatable):
        yield "package"
    if tool.wheel is not None and (host.requirements / f"{tool.wheel.requirements}.txt").is_file():
        yield "wheel"
    elif debian and tool.relocatable and host.has("dpkg-deb"):
        yield "unpack"


def _find(name: str, tool: Tool, host: Host, ask: Asking) -> ToolStatus:
    return _on_system(name, tool, host, ask) or _in_cache(name, tool, host, ask) or _absent(name, tool, host)


def _on_system(name: str, tool: Tool, host: Host, ask: Asking) -> ToolStatus | None:
    if tool.library is not None:
        file = None if ask.version else _lies_there(tool.library)
        file = file or (_loaded(tool.library, host, ()) if ask.runs else None)
        return _found(name, tool, "system", file, Path(file).name) if file else None
    if tool.header is not None:
        return _first_file(name, tool, (Path(folder) / tool.header for folder in _include_folders()))
    if tool.nimble is not None:
        return _first_file(name, tool, _nimble_folder().glob(f"pkgs*/{tool.nimble}-*"))
    for command in tool.commands:
        if file := shutil.which(command, path=host.path):
            distrust = IMPOSTORS.get(name) if ask.runs else None
            text = _printed([file, *tool.version], host.path) if ask.version or distrust else None
            said = distrust(text) if distrust and text is not None else None
            return _impostor(name, tool, file, said) if said else _found(name, tool, "system", file, version_in(text))
    return None


def not_wrk(text: str) -> str | None:
    """Return what shows that a program named wrk is another one; wrk2 calls itself wrk, but demands a rate."""
    lines = text.strip().splitlines()
    first = f"prints '{lines[0][:100]}'" if lines else "prints nothing"
    if "--rate" in text:
        return f"{first} and demands --rate, as wrk2 does"
    return None if re.search(r"^wrk\b.*\d", text, re.MULTILINE) else first


IMPOSTORS = {"wrk": not_wrk}  # what other programs are known to have a tool's name


def _impostor(name: str, tool: Tool, file: str, said: str) -> ToolStatus:
    """Return the status of a tool whose name another program has; installing it would not help."""
    title = tool.title or name
    return ToolStatus(
        name=name,
        title=title,
        status="missing",
        purpose=tool.purpose,
        path=file,
        hint=f"Rename that program, or put the folder of {title} before it on the PATH",
        reason=f"not {title}: {file} {said}",
    )


def _lies_there(library: str) -> str | None:
    """Return the file of a library in a usual folder; whether it can be loaded is not tried."""
    places = (folder / library for folder in library_folders(Path("/")))
    return next((str(place.resolve()) for place in places if place.exists()), None)


def _first_file(name: str, tool: Tool, places: Iterable[Path]) -> ToolStatus | None:
    found = next((place for place in places if place.exists()), None)
    return _found(name, tool, "system", str(found), found.name) if found else None


def _include_folders() -> list[str]:
    """Return where compilers look for headers."""
    named = os.environ.get("CPLUS_INCLUDE_PATH", ""), os.environ.get("CPATH", "")
    return [*(folder for path in named for folder in path.split(os.pathsep) if folder), *HEADER_FOLDERS]


def _nimble_folder() -> Path:
    return Path(os.environ.get("NIMBLE_DIR") or Path.home() / ".nimble")


def _in_cache(name: str, tool: Tool, host: Host, ask: Asking) -> ToolStatus | None:
    folder = cached_folder(name, tool, host)
    if folder is None or not folder.is_dir():
        return None
    if tool.wheel is None and not is_as_unpacked(tool, folder, programs(tool, folder)):
        return None
    if tool.library is not None:
        loaded = _loaded(tool.library, host, library_folders(folder)) if ask.runs else None
        return _found(name, tool, "cache", loaded, Path(loaded).name) if loaded else None
    path = os.pathsep.join([host.path, str(launcher_folder(host))])
    for command, text in launchers(tool, folder).items():
        file = launcher_folder(host) / command
        if command in tool.commands and file.is_file() and file.read_text(encoding="utf-8") == text:
            version = version_line([str(file), *tool.version], path) if ask.version else None
            return _found(name, tool, "cache", str(file), version) if version or not ask.version else None
    return None


def _found(name: str, tool: Tool, source: Literal["system", "cache"], path: str, version: str | None) -> ToolStatus:
    return ToolStatus(
        name=name,
        title=tool.title or name,
        status="found",
        purpose=tool.purpose,
        source=source,
        path=path,
        version=version,
        hint=tool.hint,
    )


def _absent(name: str, tool: Tool, host: Host) -> ToolStatus:
    return ToolStatus(
        name=name,
        title=tool.title or name,
        status="installable" if ways(tool, host) else "missing",
        purpose=tool.purpose,
        brings=brings(tool, host),
        hint=tool.hint,
        reason=_why_absent(tool),
    )


def _why_absent(tool: Tool) -> str:
    if tool.library:
        return f"the library {tool.library} was not found"
    if tool.header:
        return f"the header {tool.header} was not found"
    if tool.nimble:
        return f"{tool.nimble} is not in {_nimble_folder()}"
    return f"{' or '.join(tool.commands)} is not on the PATH"


def version_line(argv: list[str], path: str) -> str | None:
    """Return the line with a version that a command prints within 30 s, whatever its exit status."""
    return version_in(_printed(argv, path))


def _printed(argv: list[str], path: str) -> str | None:
    """Return all that a command prints; None if it cannot be started, or does not end."""
    status, text = _output(argv, path)
    return None if status in CANNOT_RUN else text


def version_in(text: str | None) -> str | None:
    """Return the first line with a number such as 1.6, or else the first line with any digit."""
    lines = [line.strip()[:200] for line in (text or "").splitlines()]
    patterns = (r"\d\.\d", r"\d")
    return next((line for pattern in patterns for line in lines if re.search(pattern, line)), None)


def _loaded(library: str, host: Host, folders: tuple[Path, ...]) -> str | None:
    """Return the file of a shared library, None if it cannot be loaded; `folders` are searched first."""
    search = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))} if folders else {}
    status, text = _output([sys.executable, "-I", "-S", "-c", _LOAD_LIBRARY, library], host.path, search)
    return text.strip() if status == 0 else None


def _output(argv: list[str], path: str, variables: Mapping[str, str] | None = None) -> tuple[int | None, str]:
    """Return a command's exit status (None: not started, or timed out) and everything that it prints."""
    try:
        ended = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=VERSION_DEADLINE_S,
            env=os.environ | {"PATH": path} | dict(variables or {}),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    return ended.returncode, ended.stdout.decode(errors="replace")
