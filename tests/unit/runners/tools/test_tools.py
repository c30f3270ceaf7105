"""Finding tools and bringing them, on machines made of small shell scripts."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from runners import resources
from runners.matrix.model import Tool, Wheel
from runners.tools import install as provide
from runners.tools.find import (
    Host,
    Privilege,
    ToolStatus,
    brings,
    cached_folder,
    find_tools,
    is_older,
    known_tools,
    launcher_folder,
    launchers,
    privilege,
    search_path,
    serving,
    short_version,
    this_host,
    tool_environment,
    version_line,
    ways,
)
from runners.tools.install import StepFailed, Steps, explanation, install_tools
from runners.tools.stamp import STAMP

ZOOM = Tool(title="Zoom", commands=("zoom", "zoom2"), debian=("zoom-bin",), hint="Ask around.")
UNPACKED = ZOOM.model_copy(update={"relocatable": True})
SERVICE = ZOOM.model_copy(update={"services": ("zoomd",)})
WHEEL = Tool(
    commands=("zoom",),
    wheel=Wheel(requirements="zoom", commands={"zoom": ("{env}/bin/python", "-P", "-m", "zoom")}),
)


@dataclass(frozen=True)
class FakeMachine:
    """A machine whose PATH is one folder; `calls` is where its fake installers write what they were told."""

    folder: Path

    @property
    def calls(self) -> Path:
        """Where fake installers write their arguments."""
        return self.folder / "calls"

    def host(self, allowed: Privilege = "none") -> Host:
        """Return the machine as tools see it."""
        return Host(
            path=str(self.folder / "bin"),
            cache=self.folder / "cache",
            requirements=self.folder / "requirements",
            privilege=allowed,
        )

    def program(self, name: str, script: str) -> Path:
        """Put a shell script on the PATH."""
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    def calls_made(self) -> list[str]:
        """Return what the fake installers were told, oldest first."""
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []


@pytest.fixture(name="machine")
def fake_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """Return a machine without any tool, whose package lists are missing."""
    for folder in ("bin", "requirements", "lists", "sbin"):
        (tmp_path / folder).mkdir()
    for name in ("sh", "env", "cat", "chmod", "mkdir", "touch", "sleep", "flock", "grep", "rm", "true"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setattr(provide, "APT_LISTS", tmp_path / "lists")
    monkeypatch.setattr(provide, "POLICY", tmp_path / "sbin/policy-rc.d")
    return FakeMachine(tmp_path)


def found_on(machine: FakeMachine, tool: Tool, allowed: Privilege = "none") -> ToolStatus:
    """Return the status of one tool."""
    return find_tools({"zoom": tool}, ["zoom"], machine.host(allowed))["zoom"]


def installed_on(machine: FakeMachine, tool: Tool, allowed: Privilege = "none") -> ToolStatus:
    """Bring one tool and return its status."""
    return install_tools({"zoom": tool}, ["zoom"], machine.host(allowed))["zoom"]


def test_a_program_on_the_path_is_found_with_the_line_that_tells_its_version(machine: FakeMachine) -> None:
    """The first command that exists counts, wherever its version stands in what it prints."""
    file = machine.program("zoom2", "echo 'Welcome to Zoom!'; echo 'zoom release 3.14-2 [epoll]' >&2; exit 1")
    status = found_on(machine, ZOOM)
    assert (status.status, status.source, status.path) == ("found", "system", str(file))
    assert status.version == "zoom release 3.14-2 [epoll]"


WRK = known_tools()["wrk"]
WRK_SAYS = "wrk 4.0.0 [epoll] Copyright (C) 2012 Will Glozer"


def wrk_on(machine: FakeMachine, *, ask: bool = True) -> ToolStatus:
    """Return the status of wrk, whether or not its version is asked for."""
    return find_tools({"wrk": WRK}, ["wrk"], machine.host(), None if ask else ())["wrk"]


@pytest.mark.parametrize("ask", [True, False])
def test_wrk_is_recognised_by_what_it_prints(machine: FakeMachine, ask: bool) -> None:  # noqa: FBT001
    """Also where its version does not matter, and although its exit status is 1."""
    machine.program("wrk", f"echo '{WRK_SAYS}'; echo 'Usage: wrk <options> <url>'; exit 1")
    assert (wrk_on(machine, ask=ask).found, wrk_on(machine).version) == (True, WRK_SAYS)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            f"echo '{WRK_SAYS}'; echo 'Usage: wrk <options> <url>'; echo '  -R, --rate  <T>  work rate'; exit 1",
            f"prints '{WRK_SAYS}' and demands --rate, as wrk2 does",
        ),
        ("echo 'work 1.0'; echo 'works for wrk 4'", "prints 'work 1.0'"),
        ("echo 'usage: wrk FILE'", "prints 'usage: wrk FILE'"),
        ("exit 0", "prints nothing"),
    ],
    ids=["wrk2", "another program", "no version", "silent"],
)
def test_a_program_that_only_has_the_name_of_wrk_is_not_wrk(machine: FakeMachine, script: str, said: str) -> None:
    """Its path and the first line that it prints are named; to install wrk beside it would not help."""
    file = machine.program("wrk", script)
    status = wrk_on(machine, ask=False)
    assert (status.status, status.path, status.brings) == ("missing", str(file), None)
    assert status.reason == f"not wrk: {file} {said}"
    assert status.remedy == "Rename that program, or put the folder of wrk before it on the PATH"
    assert status.fault == f"{status.reason}. {status.remedy}"


def test_nothing_is_installed_beside_an_impostor(machine: FakeMachine) -> None:
    """The one on the PATH would still be started, and it would be said that the new one does not run."""
    machine.program("wrk", "echo 'work 1.0'")
    machine.program("apt-get", f'echo "$@" >> {machine.calls}')
    status = install_tools({"wrk": WRK}, ["wrk"], machine.host("root"))["wrk"]
    assert (status.reason or "").startswith("not wrk: ")
    assert machine.calls_made() == []


@pytest.mark.parametrize(
    ("line", "short"),
    [
        ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer", "4.1.0"),
        ("go version go1.27.3 linux/amd64", "1.27.3"),
        ("Nim Compiler Version 1.6.10 [Linux: amd64]", "1.6.10"),
        ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0"),
        ("h2o version 2.2.5", "2.2.5"),
        ("locust 2.47.0 from somewhere/python3.11 (Python 3.11.2)", "2.47.0"),
        ("release 7", "7"),
        ("no number", None),
        (None, None),
    ],
)
def test_the_short_version_is_the_first_number_of_the_line(line: str | None, short: str | None) -> None:
    """Tables show the number alone; records keep the line."""
    assert short_version(line) == short


@pytest.mark.parametrize(
    ("line", "older"),
    [
        ("go version go1.19.8 linux/amd64", True),
        ("go version go1.26.8 linux/amd64", False),
        ("go1.26", False),
        ("go1.100", False),
        ("go2", False),
        ("no number", False),
        (None, False),
    ],
)
def test_versions_are_compared_number_by_number(line: str | None, older: bool) -> None:  # noqa: FBT001
    """What cannot be told is not called too old: the build will tell."""
    assert is_older(line, "1.26") == older


def test_a_number_with_a_dot_is_a_better_version_than_a_line_number(machine: FakeMachine) -> None:
    """Chromium's wrapper complains about its line 9 before it tells its version."""
    file = machine.program("zoom", "echo 'zoom: 9: [: unexpected operator'; echo 'Zoom 156.0.1'")
    assert version_line([str(file)], machine.host().path) == "Zoom 156.0.1"


def test_a_program_that_hangs_has_no_version_but_is_found(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that does not come within the deadline is unknown."""
    monkeypatch.setattr("runners.tools.find.VERSION_DEADLINE_S", 0.2)
    machine.program("zoom", "exec sleep 30")
    status = found_on(machine, ZOOM)
    assert (status.status, status.version) == ("found", None)


def test_a_library_is_found_by_loading_it(machine: FakeMachine) -> None:
    """The C library is everywhere; its path is the file that was loaded."""
    status = found_on(machine, Tool(library="libc.so.6"))
    assert status.status == "found"
    assert status.path is not None
    assert "libc" in Path(status.path).name


def test_a_library_that_is_nowhere_is_missing(machine: FakeMachine) -> None:
    """What cannot be brought either is missing, with a sentence that says what was sought."""
    status = found_on(machine, Tool(library="libzoom.so.7"))
    assert (status.status, status.brings) == ("missing", None)
    assert status.reason == "the library libzoom.so.7 was not found"


def test_a_missing_tool_says_what_brings_it(machine: FakeMachine) -> None:
    """An ordinary user is told the command to give to whoever may."""
    machine.program("apt-get", "exit 0")
    ordinary, root = found_on(machine, ZOOM), found_on(machine, ZOOM, "root")
    assert (ordinary.status, ordinary.brings) == ("missing", "sudo apt-get install zoom-bin")
    assert (root.status, root.brings) == ("installable", "apt-get install zoom-bin")
    assert ordinary.hint == "Ask around."
    assert ordinary.reason == "zoom or zoom2 is not on the PATH"


def test_whoever_installs_a_service_by_hand_would_start_it(machine: FakeMachine) -> None:
    """So root is told of the way that does not, and others are told nothing."""
    machine.program("apt-get", "exit 0")
    assert found_on(machine, SERVICE, "root").brings == "python -m speedup doctor --install"
    assert found_on(machine, SERVICE).brings is None


def test_what_only_administrators_have_on_their_path_is_found_last() -> None:
    """In Debian, nginx, ip and sshd lie there, and any user can start them."""
    assert search_path("/usr/sbin:/usr/bin:/bin") == "/usr/sbin:/usr/bin:/bin:/usr/local/sbin:/sbin"
    assert this_host().path.startswith(os.environ["PATH"])
    assert {"/usr/sbin", "/usr/local/sbin"} <= set(this_host().path.split(":"))


def test_without_apt_a_formula_is_named(machine: FakeMachine) -> None:
    """Homebrew is never started by us, only named."""
    machine.program("brew", "exit 0")
    tool = ZOOM.model_copy(update={"brew": "zoom-formula"})
    assert brings(tool, machine.host()) == "brew install zoom-formula"
    assert brings(ZOOM, machine.host()) is None


def test_the_ways_to_a_tool_depend_on_rights_and_on_what_is_there(machine: FakeMachine) -> None:
    """Packages come first where they are allowed; one that brings a service is unpacked if it works like that."""
    (machine.folder / "requirements/zoom.txt").touch()
    both = WHEEL.model_copy(update={"debian": ("zoom-bin",)})
    service = UNPACKED.model_copy(update={"services": ("zoom",)})
    assert ways(both, machine.host("root")) == ("wheel",)
    for command in ("apt-get", "dpkg-deb"):
        machine.program(command, "exit 0")
    assert ways(both, machine.host("root")) == ("package", "wheel")
    assert ways(both, machine.host()) == ("wheel",)
    assert ways(UNPACKED, machine.host("sudo")) == ("package", "unpack")
    assert ways(service, machine.host("root")) == ("unpack",)
    assert ways(SERVICE, machine.host("root")) == ("package",)
    assert ways(ZOOM, machine.host()) == ()


def test_sudo_counts_only_if_it_asks_nothing(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sudo -n true` decides."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert privilege(machine.host().path) == "none"
    machine.program("sudo", '[ "$1" = -n ]')
    assert privilege(machine.host().path) == "sudo"
    machine.program("sudo", "echo 'a password is required' >&2; exit 1")
    assert privilege(machine.host().path) == "none"


FAKE_APT = """echo "apt-get $*" >> "{calls}"
case "$*" in
  *nowhere-bin*) echo 'E: Unable to locate package nowhere-bin'; exit 100 ;;
  *" install "*|*" satisfy "*) printf '#!/bin/sh\\necho zoom 3.2\\n' > "{bin}/zoom"; chmod +x "{bin}/zoom" ;;
esac"""


def with_fake_apt(machine: FakeMachine) -> None:
    """Give the machine an apt-get that knows one package, zoom-bin."""
    machine.program("apt-get", FAKE_APT.format(calls=machine.calls, bin=machine.folder / "bin"))


def test_root_installs_packages_after_fetching_the_missing_lists(machine: FakeMachine) -> None:
    """One update, one installation that asks nothing, and the tool is found."""
    with_fake_apt(machine)
    status = installed_on(machine, ZOOM, "root")
    assert (status.status, status.source, status.version) == ("found", "system", "zoom 3.2")
    assert [call.split()[-1] for call in machine.calls_made()] == ["update", "zoom-bin"]
    assert machine.calls_made()[-1].endswith("install -y --no-install-recommends --no-remove zoom-bin")


def test_of_alternative_packages_apt_chooses_the_first_that_exists(machine: FakeMachine) -> None:
    """Names differ between releases; a person is told the same command."""
    with_fake_apt(machine)
    either = ZOOM.model_copy(update={"debian": ("zoom-new | zoom-bin",)})
    assert found_on(machine, either, "root").brings == "apt-get satisfy 'zoom-new | zoom-bin'"
    assert installed_on(machine, either, "root").status == "found"
    assert machine.calls_made()[-1].endswith("satisfy -y --no-install-recommends --no-remove zoom-new | zoom-bin")


ASKING_APT = """case "$*" in *" install "*) "{policy}" zoomd start; echo "zoomd: $?" >> "{calls}"; {then} ;; esac"""


def policy_of(machine: FakeMachine, then: str = "exit 0") -> Path:
    """Give the machine an apt-get whose packages ask whether they may start zoomd, and return whom they ask."""
    policy = machine.folder / "sbin/policy-rc.d"
    machine.program("apt-get", ASKING_APT.format(policy=policy, calls=machine.calls, then=then))
    machine.program("update-rc.d", f'echo "update-rc.d $*" >> "{machine.calls}"')
    return policy


@pytest.mark.parametrize("then", ["exit 0", "exit 100"], ids=["installed", "failed"])
def test_no_package_may_start_a_service_while_it_is_installed(machine: FakeMachine, then: str) -> None:
    """101 is the policy's no; whatever becomes of the installation, the policy does not stay."""
    policy = policy_of(machine, then)
    installed_on(machine, ZOOM, "root")
    assert machine.calls_made() == ["zoomd: 101"]
    assert not policy.exists()


def test_a_policy_that_is_there_decides_and_stays(machine: FakeMachine) -> None:
    """The machine's owner wrote it."""
    policy = policy_of(machine)
    policy.write_text("#!/bin/sh\nexit 104\n", encoding="utf-8")
    policy.chmod(0o755)
    installed_on(machine, ZOOM, "root")
    assert machine.calls_made() == ["zoomd: 104"]
    assert policy.exists()


def test_a_policy_that_a_kill_has_left_behind_permits_everything_and_removes_itself(machine: FakeMachine) -> None:
    """Power cuts leave it, too, and nobody would look for it months later."""
    policy = policy_of(machine, "kill -9 $PPID")
    installed_on(machine, ZOOM, "root")
    assert policy.exists()
    subprocess.run(["flock", policy.parent, "true"], check=True)  # what is left of the installation ends
    subprocess.run([policy, "zoomd", "start"], env={"PATH": machine.host().path}, check=True)
    assert not policy.exists()


def test_a_policy_that_was_left_behind_does_not_last_longer_than_the_next_installation(machine: FakeMachine) -> None:
    """It is taken for ours, not for the owner's."""
    policy = policy_of(machine, "kill -9 $PPID")
    installed_on(machine, ZOOM, "root")
    policy_of(machine)
    installed_on(machine, ZOOM, "root")
    assert machine.calls_made() == ["zoomd: 101", "zoomd: 101"]
    assert not policy.exists()


def test_a_service_that_is_installed_does_not_start_with_the_machine_either(machine: FakeMachine) -> None:
    """Its package enables it."""
    policy_of(machine)
    installed_on(machine, SERVICE, "root")
    assert machine.calls_made() == ["zoomd: 101", "update-rc.d zoomd disable"]


def test_fresh_lists_are_not_fetched_again(machine: FakeMachine) -> None:
    """Lists of today will do."""
    with_fake_apt(machine)
    (machine.folder / "lists/somewhere_Packages").touch()
    installed_on(machine, ZOOM, "root")
    assert len(machine.calls_made()) == 1


def test_one_unknown_package_does_not_keep_the_others_away(machine: FakeMachine) -> None:
    """Apt refuses all of a list for one unknown name, so then each tool is tried alone."""
    with_fake_apt(machine)
    tools = {"nowhere": Tool(commands=("nowhere",), debian=("nowhere-bin",)), "zoom": ZOOM}
    statuses = install_tools(tools, tools, machine.host("root"))
    assert statuses["zoom"].status == "found"
    assert statuses["nowhere"].status == "installable"
    assert "exit status 100: E: Unable to locate package nowhere-bin" in (statuses["nowhere"].reason or "")


def test_with_sudo_the_packages_are_kept_from_asking(machine: FakeMachine) -> None:
    """Sudo drops the environment, so what silences packages is handed on by its arguments."""
    with_fake_apt(machine)
    machine.program("sudo", f'echo "sudo $*" >> "{machine.calls}"; shift; exec "$@"')
    assert installed_on(machine, ZOOM, "sudo").status == "found"
    assert machine.calls_made()[0].startswith("sudo -n env DEBIAN_FRONTEND=noninteractive ")


def test_what_is_there_is_not_brought_again(machine: FakeMachine) -> None:
    """No installer is started for tools that are found."""
    with_fake_apt(machine)
    machine.program("zoom", "echo zoom 1.0")
    assert installed_on(machine, ZOOM, "root").version == "zoom 1.0"
    assert machine.calls_made() == []


FAKE_DOWNLOAD = """echo "apt-get $*" >> "{calls}"
for word; do case "$word" in Dir::State=*) state=${{word#*=}} ;; Dir::Cache=*) cache=${{word#*=}} ;; esac; done
case "$*" in
  *" update") touch "$state/lists/x_Packages" ;;
  *) touch "$cache/archives/zoom.deb" ;;
esac"""
FAKE_UNPACK = """mkdir -p "$3/usr/bin"
printf '#!/bin/sh\\necho zoom 4.5 $LD_LIBRARY_PATH\\n' > "$3/usr/bin/zoom"
chmod +x "$3/usr/bin/zoom" """


def test_an_ordinary_user_gets_packages_unpacked_in_the_cache(machine: FakeMachine) -> None:
    """Own lists and own downloads need no rights; the launcher names the unpacked libraries."""
    machine.program("apt-get", FAKE_DOWNLOAD.format(calls=machine.calls))
    machine.program("dpkg-deb", FAKE_UNPACK)
    status = installed_on(machine, UNPACKED)
    assert (status.status, status.source) == ("found", "cache")
    assert status.version is not None
    assert status.version.startswith(f"zoom 4.5 {machine.folder}/cache/debian/zoom/usr/lib/")
    assert "--download-only" in machine.calls_made()[-1]


def unpacked_on(machine: FakeMachine) -> Path:
    """Unpack a tool in the cache and return its folder."""
    machine.program("apt-get", FAKE_DOWNLOAD.format(calls=machine.calls))
    machine.program("dpkg-deb", FAKE_UNPACK)
    assert installed_on(machine, UNPACKED).source == "cache"
    return machine.folder / "cache/debian/zoom"


def test_an_unpacked_program_that_was_changed_is_unpacked_again(machine: FakeMachine) -> None:
    """What runs is what Debian sent."""
    (program,) = unpacked_on(machine).glob("usr/bin/*")
    before = program.read_bytes()
    program.write_bytes(before + b"\n# changed")
    assert not found_on(machine, UNPACKED).found
    assert installed_on(machine, UNPACKED).found
    assert program.read_bytes() == before


def test_other_packages_than_those_that_were_unpacked_are_unpacked_again(machine: FakeMachine) -> None:
    """A newer version of http-speedup may ask for others."""
    unpacked_on(machine)
    other = UNPACKED.model_copy(update={"debian": ("zoom", "zoom-plugins")})
    assert not found_on(machine, other).found
    assert installed_on(machine, other).found


def test_unpacked_packages_are_renewed_and_stay_if_that_fails(
    machine: FakeMachine, caplog: pytest.LogCaptureFixture
) -> None:
    """Debian mends its packages, but not for a cache."""
    stamp = unpacked_on(machine) / STAMP
    calls = len(machine.calls_made())
    installed_on(machine, UNPACKED)
    assert len(machine.calls_made()) == calls
    os.utime(stamp, (1, 1))
    assert installed_on(machine, UNPACKED).found
    assert len(machine.calls_made()) > calls
    assert stamp.stat().st_mtime > 1
    os.utime(stamp, (1, 1))
    machine.program("apt-get", "exit 1")
    assert installed_on(machine, UNPACKED).found
    assert "stays as it is" in caplog.text


def test_packages_without_the_program_are_not_taken_for_the_tool(machine: FakeMachine) -> None:
    """A launcher that starts nothing does not count, and the reason says so."""
    machine.program("apt-get", FAKE_DOWNLOAD.format(calls=machine.calls))
    machine.program("dpkg-deb", "exit 0")
    status = installed_on(machine, UNPACKED)
    assert status.status == "installable"
    assert "does not run" in (status.reason or "")


def test_lists_that_do_not_come_are_told_as_a_network_out_of_reach(machine: FakeMachine) -> None:
    """apt-get update succeeds even when it reached nobody."""
    machine.program("apt-get", "exit 0")
    machine.program("dpkg-deb", FAKE_UNPACK)
    assert "is the network reachable?" in (installed_on(machine, UNPACKED).reason or "")


def tiny_wheel(machine: FakeMachine, *, digest: str | None = None) -> None:
    """Make a wheel whose module prints a version, and the hashed requirements that name it."""
    file = machine.folder / "zoom-1.5-py3-none-any.whl"
    info = "zoom-1.5.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("zoom.py", "print('zoom 1.5')\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: zoom\nVersion: 1.5\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"zoom.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    digest = digest or hashlib.sha256(file.read_bytes()).hexdigest()
    line = f"zoom @ {file.as_uri()} --hash=sha256:{digest}\n"
    (machine.folder / "requirements/zoom.txt").write_text(line, encoding="utf-8")


def test_a_wheel_brings_a_tool_into_the_cache(machine: FakeMachine) -> None:
    """The launcher runs the wheel's module, and commands find it behind the PATH."""
    tiny_wheel(machine)
    status = installed_on(machine, WHEEL)
    assert (status.status, status.source, status.version) == ("found", "cache", "zoom 1.5")
    environment = tool_environment({"zoom": status}, machine.host())
    assert environment == {"PATH": f"{machine.folder}/bin:{machine.folder}/cache/bin"}
    ran = subprocess.run(["/bin/sh", "-c", "zoom"], env=environment, capture_output=True, check=True)
    assert ran.stdout == b"zoom 1.5\n"


def test_a_wheel_with_another_hash_is_refused_and_leaves_nothing(machine: FakeMachine) -> None:
    """What was not asked for is not installed, and no half of it stays."""
    tiny_wheel(machine, digest="0" * 64)
    status = installed_on(machine, WHEEL)
    assert status.status == "installable"
    assert "install ended with exit status" in (status.reason or "")
    assert "\n" not in (status.reason or "")
    assert list((machine.folder / "cache/wheels").iterdir()) == []


def in_cache(machine: FakeMachine, script: str) -> Path:
    """Put what a finished installation leaves into the cache, with `script` in place of the wheel."""
    (machine.folder / "requirements/zoom.txt").write_text("zoom==1.5\n", encoding="utf-8")
    folder = cached_folder("zoom", WHEEL, machine.host())
    assert folder is not None
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    launcher = launcher_folder(machine.host()) / "zoom"
    launcher.parent.mkdir()
    launcher.write_text(launchers(WHEEL, folder)["zoom"], encoding="utf-8")
    launcher.chmod(0o755)
    return launcher


def test_the_path_comes_before_the_cache(machine: FakeMachine) -> None:
    """A tool that its owner installed is used, not our copy."""
    in_cache(machine, "echo zoom 1.5")
    assert found_on(machine, WHEEL).source == "cache"
    machine.program("zoom", "echo zoom 9.9")
    assert found_on(machine, WHEEL).source == "system"


def test_a_cached_tool_of_other_requirements_is_not_found(machine: FakeMachine) -> None:
    """New pins make yesterday's copy void."""
    in_cache(machine, "echo zoom 1.5")
    (machine.folder / "requirements/zoom.txt").write_text("zoom==1.6\n", encoding="utf-8")
    assert found_on(machine, WHEEL).status == "installable"


def test_an_interrupt_waits_for_the_system_s_packages(machine: FakeMachine) -> None:
    """dpkg that is killed leaves packages half installed, and the system with them."""
    done = machine.folder / "done"
    machine.program("dpkg", f'trap "" TERM INT; touch "{machine.calls}"; sleep 1; touch "{done}"')
    steps = Steps(path=str(machine.folder / "bin"), log=machine.folder / "log")

    def interrupt_twice() -> None:
        for _ in range(2):
            while not machine.calls.exists():
                time.sleep(0.01)
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the thread belongs to it
        threading.Thread(target=interrupt_twice).start()
        steps.run("dpkg", [str(machine.folder / "bin/dpkg")], whole=True)
    assert done.exists()


def test_an_interrupted_installation_is_not_found(machine: FakeMachine) -> None:
    """Without its launcher, or with one that does not run, a folder in the cache is no tool."""
    launcher = in_cache(machine, "exit 127")
    assert found_on(machine, WHEEL).status == "installable"
    launcher.unlink()
    assert found_on(machine, WHEEL).status == "installable"


def test_only_tools_that_are_asked_tell_their_version(machine: FakeMachine) -> None:
    """One that is not is there all the same: the launcher is the whole of an installation."""
    in_cache(machine, "echo zoom 2.0")
    host = machine.host()
    assert find_tools({"zoom": WHEEL}, ["zoom"], host)["zoom"].version == "zoom 2.0"
    unasked = find_tools({"zoom": WHEEL}, ["zoom"], host, versions=())["zoom"]
    assert (unasked.found, unasked.source, unasked.version) == (True, "cache", None)
    machine.program("zoom", "echo zoom 1.0")
    unasked = find_tools({"zoom": ZOOM}, ["zoom"], host, versions=["other"])["zoom"]
    assert (unasked.found, unasked.source, unasked.version) == (True, "system", None)


@pytest.mark.parametrize("name", ["zoom", "wrk"])
def test_what_a_matrix_names_is_looked_up_and_never_run(machine: FakeMachine, name: str) -> None:
    """To plan, or to look what there is, starts nothing that a stranger wrote; not even under a known tool's name."""
    machine.program("evil", f'echo "$*" >> "{machine.calls}"')
    tool = Tool(commands=("evil",), version=("--do", "harm"))
    status = find_tools({name: tool}, [name], machine.host(), versions=[name])[name]
    assert (status.found, status.version, machine.calls_made()) == (True, None, [])


def test_a_library_that_a_matrix_names_is_not_loaded(machine: FakeMachine) -> None:
    """Loading runs its code."""
    names = ["zoom"]
    tool = Tool(library=str(machine.folder / "evil.so"))
    assert not find_tools({"zoom": tool}, names, machine.host(), versions=names)["zoom"].found
    (machine.folder / "evil.so").touch()
    assert find_tools({"zoom": tool}, names, machine.host(), versions=names)["zoom"].found


def test_a_launcher_quotes_what_it_starts(tmp_path: Path) -> None:
    """A folder's name never becomes shell code."""
    text = launchers(WHEEL, tmp_path / "a b;$(touch x)")["zoom"]
    assert f"'{tmp_path}/a b;$(touch x)/bin/python' -P -m zoom \"$@\"" in text


def test_a_cached_library_is_named_in_the_environment(machine: FakeMachine) -> None:
    """Programs load it from where it was unpacked."""
    status = ToolStatus(name="x", title="x", status="found", source="cache", path="/cache/lib/libx.so.1.2")
    assert tool_environment({"x": status}, machine.host())["LD_LIBRARY_PATH"].endswith("/cache/lib")


def test_a_header_is_found_where_compilers_look(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPATH counts before the system's folders; the reason of its absence names the header."""
    header = Tool(header="zoom/lens.hpp")
    assert found_on(machine, header).reason == "the header zoom/lens.hpp was not found"
    file = machine.folder / "include/zoom/lens.hpp"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setenv("CPATH", str(machine.folder / "include"))
    assert (found_on(machine, header).status, found_on(machine, header).path) == ("found", str(file))


def test_a_package_of_nimble_is_found_in_its_folder(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder's name tells the version; nimble itself brings it."""
    monkeypatch.setenv("NIMBLE_DIR", str(machine.folder / "nimble"))
    package = Tool(nimble="zoom")
    assert found_on(machine, package).brings is None
    machine.program("nimble", "exit 0")
    assert found_on(machine, package).brings == "nimble install zoom"
    (machine.folder / "nimble/pkgs2/zoom-1.5-abc").mkdir(parents=True)
    assert (found_on(machine, package).status, found_on(machine, package).version) == ("found", "zoom-1.5-abc")


def test_an_unpacked_program_of_administrators_is_started_where_it_lies(tmp_path: Path) -> None:
    """Debian keeps some servers in usr/sbin."""
    program = tmp_path / "usr/sbin/zoom"
    program.parent.mkdir(parents=True)
    program.touch()
    assert str(program) in launchers(UNPACKED, tmp_path)["zoom"]


def test_an_unwritable_cache_is_a_reason_not_a_crash(machine: FakeMachine) -> None:
    """A file where the cache should be stands for a disk that refuses."""
    tiny_wheel(machine)
    (machine.folder / "cache").write_text("in the way", encoding="utf-8")
    reason = installed_on(machine, WHEEL).reason
    assert reason is not None
    assert f": {machine.folder}/cache" in reason


def test_a_step_over_its_deadline_is_ended(machine: FakeMachine) -> None:
    """What hangs is killed with all that it started."""
    steps = Steps(path=machine.host().path, log=machine.folder / "log", deadline_s=0.2)
    with pytest.raises(StepFailed, match="waiting took too long"):
        steps.run("waiting", ["sleep", "30"])


def test_a_step_that_cannot_start_is_a_sentence(machine: FakeMachine) -> None:
    """A missing installer reads like any other failure."""
    steps = Steps(path=machine.host().path, log=machine.folder / "log")
    with pytest.raises(StepFailed, match="nonsense cannot be started: No such file or directory"):
        steps.run("nonsense", ["nonsense"])


def test_an_explanation_is_the_last_error_and_whether_the_network_failed() -> None:
    """Warnings and notices after the error do not hide it."""
    output = "E: first\nERROR: No match for x\nnotice: upgrade pip\n"
    assert explanation(output) == ": ERROR: No match for x"
    broken = "WARNING: after connection broken by 'Temporary failure in name resolution'\n" + output
    assert explanation(broken) == ": ERROR: No match for x; the network seems to be unreachable"
    assert explanation("") == ""


def test_a_tool_is_either_programs_or_a_library() -> None:
    """With neither there is nothing to look for, with both it is unclear what counts."""
    with pytest.raises(ValidationError, match='give exactly one of "commands"'):
        Tool()
    with pytest.raises(ValidationError, match='give exactly one of "commands"'):
        Tool(commands=("x",), library="libx.so.1")


def test_every_known_tool_can_be_brought_somehow() -> None:
    """The project's own tool data names packages or wheels for each tool, or says what to do; wheels are pinned."""
    requirements = resources.root() / "requirements"
    for name, tool in known_tools().items():
        assert tool.debian or tool.wheel or (tool.nimble and tool.hint), name
        assert tool.wheel is None or (requirements / f"{tool.wheel.requirements}.txt").is_file(), name


def test_tools_are_chosen_by_who_needs_them() -> None:
    """No purpose means all tools."""
    tools = known_tools()
    assert serving(tools, ()) == tuple(tools)
    assert "wrk" in serving(tools, ["load"])
    assert "chromium" not in serving(tools, ["server", "load"])


def test_the_tests_that_people_wait_for_need_no_compiler_of_the_field() -> None:
    """What takes minutes to install is for acceptance, which installs what servers need as well."""
    wanted = set(serving(known_tools(), ["tests"]))
    assert {"wrk", "h2load", "locust", "nim", "cc", "go", "h2o", "nginx", "chromium", "iproute2", "sshd"} <= wanted
    assert {"cxx", "boost"} <= wanted  # Boost.Beast is a row of the document
    assert wanted.isdisjoint({"cargo", "java", "maven", "crystal", "node"})


def test_wheels_come_without_pip_too(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our own environment has no pip, uv is asked."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    tiny_wheel(machine)
    machine.program("uv", f'echo "uv $*" >> "{machine.calls}"')
    installed_on(machine, WHEEL)
    assert machine.calls_made()[0].startswith("uv pip install --python ")
    assert "--require-hashes" in machine.calls_made()[0]


def test_this_machine_has_a_python() -> None:
    """The real search finds at least the program that runs this test."""
    folder = Path(sys.executable).parent
    host = Host(path=str(folder), cache=folder / "none", requirements=folder / "none", privilege="none")
    tool = Tool(commands=(Path(sys.executable).name,))
    status = find_tools({"python": tool}, ["python"], host)["python"]
    assert status.version is not None
    assert status.version.startswith("Python 3.")
