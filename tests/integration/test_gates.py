"""`speedup check` on real servers: honest ones pass, dishonest ones fail, and an address can be asked as well."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from runners.honesty import gates
from tests.support import ROOT
from tests.support.bench import Bench
from tests.support.fake_http import FakeServer

HONEST = ("epoll", "go", "h2o", "python_epoll", "asynchttp")


def check(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `speedup check` on the project's own matrix; what it builds stays in the cache."""
    argv = [sys.executable, str(ROOT / "speedup"), "check", *words]
    return subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("server", HONEST)
def test_an_honest_server_passes(server: str) -> None:
    """Every required gate, and the answer is given as data."""
    ended = check(server, "--json")
    if ended.returncode == 3:
        pytest.skip(f"the tools of {server} are not installed")
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    assert [(each["variant"], each["passed"]) for each in found if each["variant"] == server] == [(server, True)]
    assert ended.returncode == 0
    assert [gate["id"] for gate in found[0]["gates"]] == [demand.id for demand in gates.ALL]
    assert all(gate["outcome"] == "pass" for gate in found[0]["gates"] if gate["required"])


def test_a_dishonest_server_fails_and_is_told_why(bench: Bench) -> None:
    """It takes no notice of paths and has no date; below the table stands what was received."""
    bench.write("ignores-close")
    ended = bench.run("check")
    assert ended.code == 1
    assert "ignores-close, 1 thread, realistic: not honest, fails wait" in ended.err
    assert "path: it answers 200 to /no-such-page, not 404" in ended.out
    assert "received 'HTTP/1.1 200 OK" in ended.out
    assert bench.processes() == []


def test_nothing_is_checked_beside_a_run(bench: Bench) -> None:
    """They would disturb each other."""
    bench.write("ignores-close")
    lock = bench.folder / "cache" / "http-speedup" / "run.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = bench.run("check")
    assert ended.code == 4
    assert "another run is under way" in ended.err


def test_a_server_that_does_not_start_fails(bench: Bench) -> None:
    """With its last words, beside one that does."""
    bench.write("exits", "none")
    ended = bench.run("check", "--json")
    gates_of = {each["variant"]: each["gates"] for each in json.loads(ended.out)}
    assert ended.code == 1
    assert [gate["id"] for gate in gates_of["exits"]] == ["start"]
    assert "faulty: no configuration" in gates_of["exits"][0]["saw"]
    assert len(gates_of["none"]) == len(gates.ALL)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_can_be_asked(host: str) -> None:
    """Also one of IPv6; only whether descriptors leak cannot be told."""
    try:
        server = FakeServer(host=host)
    except ValueError:
        pytest.skip(f"this machine has no {host}")
    with server:
        url = f"http://[{host}]:{server.port}/" if ":" in host else f"http://{host}:{server.port}/"
        ended = check(url, "--json")
    (found,) = json.loads(ended.stdout)
    assert ended.returncode == 0, found
    assert {gate["id"] for gate in found["gates"] if gate["outcome"] != "pass"} == {"leave"}


def test_a_bad_address_is_bad_input() -> None:
    """Exit code 2 and one line."""
    ended = check("http://127.0.0.1:99999/")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


def test_servers_with_config_files_run_from_a_folder_with_a_space(tmp_path: Path) -> None:
    """Their templates quote every path."""
    bench = tmp_path / "my bench"
    bench.mkdir()
    (bench / "servers").symlink_to(ROOT / "servers")
    shutil.copy(ROOT / "matrix.toml", bench)
    (bench / "published").symlink_to(ROOT / "published")
    ended = check("--matrix", str(bench / "matrix.toml"), "nginx", "h2o", "haproxy", "--json")
    if ended.returncode == 3:
        pytest.skip("neither nginx nor h2o nor HAProxy is installed")
    found = json.loads(ended.stdout)
    assert found
    assert [each["variant"] for each in found if not each["passed"]] == []


def test_a_server_that_goes_into_the_background_is_told_to_stay_and_is_ended(bench: Bench) -> None:
    """Also one that clears its environment, as nginx does, so that nothing marks it as ours."""
    mark = f"background-{bench.folder.name}"
    server = f"{sys.executable} -m http.server --bind 127.0.0.1 --directory {bench.folder} {{port}}"
    command = f"env -i setsid sh -c 'exec {server} # {mark}' & sleep 1"
    bench.write(more=f'[server.daemon]\nclass = "application"\ndir = "."\nrun = ["sh", "-c", {json.dumps(command)}]\n')
    ended = bench.run("check")
    assert ended.code == 1
    assert "went into the background" in " ".join(ended.out.split())
    running = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert [line for line in running if str(bench.folder) in line] == []
