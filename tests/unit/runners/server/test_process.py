"""A server under test: whether the port is its own is believed after several looks, and a death is said first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runners.matrix.cells import Cell, LoadSettings, Program
from runners.matrix.model import Limits
from runners.matrix.requests.request import Request
from runners.server import process
from runners.server.process import Logs, Programs, ServerProcess, TrialFailed, complaint_of, free_port, tail_of
from runners.server.rights import read_only_works
from runners.system import kernel
from runners.system.enclosure import namespaces
from runners.system.enclosure.rights import can_be_read_only
from runners.system.kernel import Listening
from runners.system.machine import Layout

needs_namespaces = pytest.mark.skipif(namespaces.means() is None, reason="pid namespaces are not permitted here")
FOREIGN = Listening(frozenset({"77"}), {5: frozenset({"1"})})
OWN = Listening(frozenset({"77"}), {5: frozenset({"77"})})
SLEEPS, ENDS = "import time; time.sleep(60)", "print('no such file'); raise SystemExit(3)"


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """Return a process that stands for a server."""
    program = Program(
        server="s", variant=None, title="s", language=None, class_="realistic", group="document", needs=(), dir=".",
        build=(), run=(sys.executable, "-c", request.param), config=None, flags=(), env={}, unavailable=None,
    )  # fmt: skip
    cell = Cell(program, 1, 1, "persistent", "local", LoadSettings("wrk", 0.1, 1.0, None), None)
    logs = Logs(tmp_path, tmp_path, "block0")
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    server = ServerProcess(cell, Layout(cpus, cpus), Programs(tmp_path, {}, dict(os.environ)), logs, 18080)
    yield server
    server.stop()


@pytest.mark.parametrize("started", [SLEEPS], indirect=True)
def test_a_socket_that_one_look_missed_is_looked_for_again(
    started: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading /proc is no snapshot: what is there may be left out once."""
    looks = iter([Listening(frozenset(), {}), FOREIGN, OWN])
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: next(looks))
    started._check_own_port()
    assert next(looks, None) is None


@pytest.mark.parametrize("started", [SLEEPS], indirect=True)
def test_a_foreign_listener_is_named_with_what_was_seen(
    started: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a wrong verdict can be traced."""
    monkeypatch.setattr(process, "OWN_PORT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: FOREIGN)
    with pytest.raises(TrialFailed) as failed:
        started._check_own_port()
    assert "port 18080 is answered by another process, not by this server" in str(failed.value)
    assert "socket 77 listens there; processes 5 do not hold it" in str(failed.value)


@pytest.mark.parametrize("started", [ENDS], indirect=True)
def test_a_death_is_said_first(started: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ended does not listen; that somebody else does is beside the point."""
    monkeypatch.setattr(kernel, "listening", lambda _pid, _port: FOREIGN)
    started.process.wait()
    with pytest.raises(
        TrialFailed, match=r"ended with exit status 3 before it answered; its last output: no such file"
    ):
        started._check_own_port()


def test_what_one_look_saw_is_told_apart() -> None:
    """No socket, no process, or a socket that is somebody else's."""
    assert str(Listening(frozenset(), {5: frozenset()})) == "no listening socket was seen there"
    assert "none of the server's processes was seen" in str(Listening(frozenset({"1"}), {}))
    assert OWN.by_tree
    assert not FOREIGN.by_tree


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ("wrk: invalid option -- 'Z'\nUsage: wrk <options> <url>\n  -c\n  -d\n  -t\n", "wrk: invalid option -- 'Z'"),
        ("usage: locust [x]\nlocust: error: no such option\n", "usage: locust [x] | locust: error: no such option"),
        ("Usage: wrk <options> <url>\n", "Usage: wrk <options> <url>"),
        ("starting\nout of memory\n", "starting | out of memory"),
        ("", ""),
    ],
    ids=["before its usage", "below its usage", "usage alone", "no usage", "nothing"],
)
def test_what_a_program_complains_about_is_shown_without_its_usage(output: str, complaint: str, tmp_path: Path) -> None:
    """The last lines of a usage say nothing about the fault."""
    file = tmp_path / "output.txt"
    file.write_text(output, encoding="utf-8")
    assert complaint_of(file) == complaint


def test_a_program_without_output_complains_about_nothing(tmp_path: Path) -> None:
    """It may not have been started at all."""
    assert (complaint_of(tmp_path / "none"), tail_of(tmp_path / "none")) == ("", "")


def test_the_output_of_a_server_is_harmless_on_a_terminal(tmp_path: Path) -> None:
    """It may try to erase lines, to recolour them, or to turn the reading direction round."""
    file = tmp_path / "output.txt"
    file.write_bytes(b"fine\t\xc3\xa9\n\x1b[2J\x1b]0;title\x07 \xe2\x80\xae gone \x9b1m\x00\n")
    assert tail_of(file) == "fine\t\u00e9 | \ufffd[2J\ufffd]0;title\ufffd \ufffd gone \ufffd1m\ufffd"
    file.write_bytes(b"\x1b[31mno such option\nUsage: x\n")
    assert complaint_of(file) == "\ufffd[31mno such option"


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights away")
CAPABILITIES = """
import os, time
bits = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff:")), 16)
print("lacks admin" if not bits >> 21 & 1 else "has admin", bits >> 7 & 1, bits >> 10 & 1, os.geteuid(), flush=True)
"""


def run_with(tmp_path: Path, code: str, *, limits: Limits | None = None, **more: Any) -> str:
    """Run Python as a server whose table says more, and return what it printed."""
    program = Program(
        server="s", variant=None, title="s", language=None, class_="realistic", group="document", needs=(), dir=".",
        build=(), run=("python3", "-c", code, "{work}"), flags=(), env={}, unavailable=None, **{"config": None, **more},
    )  # fmt: skip
    cell = Cell(program, 1, 1, "persistent", "local", LoadSettings("wrk", 0.1, 1.0, None), None)
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    env = {"PATH": os.defpath}
    programs = Programs(Path("/"), {}, env, limits or Limits())
    server = ServerProcess(cell, Layout(cpus, cpus), programs, Logs(tmp_path, tmp_path, "b"), 18080)
    server.process.wait(10)
    server.stop()
    return (tmp_path / "b.server.txt").read_text(encoding="utf-8").strip()


@as_root
@pytest.mark.parametrize(("privileged", "told"), [(False, "lacks admin 1 1 0"), (True, "has admin 1 1 0")])
def test_a_server_loses_the_rights_that_none_needs_unless_it_says_so(
    tmp_path: Path, *, privileged: bool, told: str
) -> None:
    """It keeps the harness's uid, and may still change the user and listen on ports below 1024."""
    assert run_with(tmp_path, CAPABILITIES, privileged=privileged) == told


@as_root
def test_a_server_runs_as_the_user_of_its_table(tmp_path: Path) -> None:
    """It can write into its work folder, and has no capability left."""
    code = "import os, sys; open(sys.argv[1] + '/mine', 'w'); print(os.getuid(), os.getgid(), len(os.getgroups()) > 0)"
    for parent in (tmp_path, *tmp_path.parents):
        if "pytest" in str(parent):  # pytest's own folders, which only root may enter
            parent.chmod(0o755)
    assert run_with(tmp_path, code, user="nobody") == "65534 65534 True"


READ_ONLY = """
import sys
for name in (sys.argv[1] + "/x", "/tmp/http-speedup-test", "/etc/http-speedup-test", "/root/http-speedup-test"):
    try:
        open(name, "w").close()
        print("may")
    except OSError as error:
        print(error.strerror)
open("/proc/self/oom_score_adj", "w").write("500")
"""


@as_root
@needs_namespaces
def test_a_read_only_server_writes_only_where_it_works(tmp_path: Path) -> None:
    """Everything else is read-only for it, and for it alone."""
    told = run_with(tmp_path, READ_ONLY, read_only=True).splitlines()
    assert told == ["may", "may", "Read-only file system", "Read-only file system"]
    (tmp_path / "still").touch()
    Path("/tmp/http-speedup-test").unlink()  # noqa: S108 - it is really that folder


def test_where_namespaces_are_refused_a_read_only_server_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a chroot without rights: no number is refused for lack of a protection."""
    monkeypatch.setattr(namespaces, "_means", lambda _: None)
    assert not read_only_works()
    code = "import os; print('ran', os.statvfs('/').f_flag & os.ST_RDONLY)"
    assert run_with(tmp_path, code, read_only=True) == "ran 0"


@needs_namespaces
def test_whether_servers_can_be_read_only_is_tried_in_a_child(tmp_path: Path) -> None:
    """A folder that is not there, as an old kernel, makes it impossible; this process stays where it is."""
    before = Path("/proc/self/ns/mnt").readlink()
    assert read_only_works()
    assert not can_be_read_only([str(tmp_path / "none")])
    assert Path("/proc/self/ns/mnt").readlink() == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"user": "no-such-user"}, "there is no user 'no-such-user' here"),
        ({"read_only": True, "isolate": False}, "`read_only` has no effect with isolate = false"),
    ],
    ids=["user", "read_only"],
)
def test_rights_that_cannot_be_had_are_told(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    """Rather than to measure something else than what was asked for."""
    with pytest.raises(TrialFailed, match=told):
        run_with(tmp_path, "", **more)


NEEDS_ADMIN = """
import os, sys
bits = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff:")), 16)
if not bits >> 21 & 1:
    sys.exit("I need CAP_SYS_ADMIN")
print("started", flush=True)
import http.server
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


@as_root
def test_a_server_that_needs_all_rights_gets_them_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It ran before they were taken from it, and runs on; the next trial does not try without them again."""
    port = free_port(700)
    program = Program(
        server="s", variant=None, title="s", language=None, class_="realistic", group="document", needs=(), dir=".",
        build=(), run=("python3", "-c", NEEDS_ADMIN, "{port}"), config=None, flags=(), env={}, unavailable=None,
    )  # fmt: skip
    cell = Cell(program, 1, 1, "persistent", "local", LoadSettings("wrk", 0.1, 1.0, None), None, Request("/"))
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    programs = Programs(tmp_path, {}, {"PATH": os.defpath})
    for _ in range(2):
        server = ServerProcess(cell, Layout(cpus, cpus), programs, Logs(tmp_path, tmp_path, "b"), port)
        assert server.why_unready() is None
        server.stop()
    assert [record.message for record in caplog.records] == [
        "s ends without capabilities such as CAP_SYS_ADMIN, so it keeps all of them"
    ]


PLANTS = """
import os, sys
for folder in (sys.argv[1], os.path.dirname(sys.argv[1])):
    for name in ("b.server.txt", "b.load.txt", "b.gates.txt", "b.config.txt"):
        try:
            os.symlink("KEY", os.path.join(folder, ".new"))
            os.replace(os.path.join(folder, ".new"), os.path.join(folder, name))
            print("planted", flush=True)
        except OSError as error:
            print(error.strerror, flush=True)
"""


@as_root
def test_a_server_of_another_user_cannot_choose_what_the_harness_reads_or_writes(tmp_path: Path) -> None:
    """It owns its work folder, and nothing that the harness opens by name lies there."""
    for parent in (tmp_path, *tmp_path.parents):
        if "pytest" in str(parent):
            parent.chmod(0o755)
    told = run_with(tmp_path, PLANTS, user="nobody").splitlines()
    assert told == ["planted"] * 4 + ["Permission denied"] * 4


def test_links_that_were_planted_among_logs_are_not_followed(tmp_path: Path) -> None:
    """By a server with all rights, or by who sent the folder: the server's output goes into a file of its own."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    for name in ("b.server.txt", "b.load.txt"):
        (tmp_path / name).symlink_to(key)
    logs = Logs(tmp_path, tmp_path, "b")
    assert tail_of(logs.file("server")) == complaint_of(logs.file("load")) == ""
    with pytest.raises(OSError, match="Too many levels"):
        logs.read("load")
    assert run_with(tmp_path, "print('hello')") == "hello"
    assert logs.write("load", b"x").read_bytes() == b"x"
    assert key.read_text(encoding="utf-8") == "secret"


def test_a_link_in_place_of_a_config_file_is_not_followed(tmp_path: Path) -> None:
    """It lies in the server's own folder, since what is written beside it is the server's business."""
    (key := tmp_path / "key").write_text("secret", encoding="utf-8")
    (tmp_path / "template").write_text("port {port}", encoding="utf-8")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/b.config.txt").symlink_to(key)
    code = "import sys; print(open(sys.argv[1] + '/b.config.txt').read())"
    assert run_with(tmp_path, code, config=str(tmp_path / "template")) == "port 18080"
    assert key.read_text(encoding="utf-8") == "secret"


def test_a_link_in_place_of_a_work_folder_fails_the_trial(tmp_path: Path) -> None:
    """The folder that it leads to would be given to the server's user."""
    (tmp_path / "work").symlink_to("/etc")
    with pytest.raises(TrialFailed, match="work is a link"):
        run_with(tmp_path, "")


def test_a_link_that_a_server_puts_in_place_of_its_log_is_not_cut(tmp_path: Path) -> None:
    """Its output is bounded through the file that was opened for it, whatever has its name meanwhile."""
    (key := tmp_path / "key").write_bytes(b"secret" * 10_000)
    code = "import os, sys; log = sys.argv[1] + '/../b.server.txt'; os.remove(log); os.symlink('key', log)"
    run_with(tmp_path, f"{code}; print('x' * 99999)", limits=Limits.model_validate({"log": "8 KiB"}))
    assert (tmp_path / "b.server.txt").is_symlink()
    assert key.read_bytes() == b"secret" * 10_000
