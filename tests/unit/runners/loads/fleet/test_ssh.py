"""Workers by OpenSSH: words survive the far shell, and nothing in a matrix becomes an option of ssh."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runners.errors import BadInput
from runners.loads.fleet.master import ssh as ssh_module
from runners.loads.fleet.master.ssh import Remote, client_names, command
from runners.loads.fleet.wire.messages import Hello
from runners.matrix.model import Client
from runners.matrix.reading import parse_matrix
from runners.tools.find import TOOL_DATA
from tests.support.fleet_fakes import TOKEN, facts

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
NAMES = st.from_regex(r"\A[a-z0-9]{1,8}(-[1-3])?\Z")


def far_words(argv: tuple[str, ...]) -> list[str]:
    """Return the words that the far host's shell makes of a command line."""
    show = 'for word in "$@"; do printf "%s\\0" "$word"; done'
    ran = subprocess.run(["sh", "-c", f"set -- {argv[-1]}\n{show}"], stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode().split("\0")[:-1]


def test_the_command_line_starts_a_worker_through_a_tunnel() -> None:
    """The token comes through standard input, so that it is in no command line."""
    argv = command(Client(ssh="me@host", options=("-p", "2222")), "a", "192.0.2.7", 5557)
    assert argv[0] == "ssh"
    assert argv[argv.index("--") + 1] == "me@host"
    assert argv[argv.index("-p") + 1] == "2222"
    assert argv[argv.index("-R") + 1] == "127.0.0.1:5557:127.0.0.1:5557"
    assert far_words(argv) == [
        *("speedup", "worker", "--master", "127.0.0.1:5557", "--token-file", "-", "--name", "a"),
        *("--target", "192.0.2.7"),
    ]


@pytest.mark.parametrize(("there", "path"), [(None, "users.py"), ("/srv/my users.py", "/srv/my users.py")])
def test_the_far_copy_of_a_locustfile_is_named(there: str | None, path: str) -> None:
    """Where the matrix says, or where the near one is."""
    argv = command(Client(ssh="host", locustfile=there), "a", "192.0.2.7", 5557, "users.py")
    assert far_words(argv)[-2:] == ["--locustfile", path]


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_words_survive_the_far_shell(words: list[str]) -> None:
    """Spaces, quotes, dollars, stars and all."""
    argv = command(Client(ssh="host", speedup=tuple(words)), "a", "192.0.2.7", 5557)
    assert far_words(argv)[: len(words)] == words


@given(st.lists(st.builds(Client, ssh=NAMES, name=st.none() | NAMES), max_size=6))
def test_every_client_has_a_name_of_its_own(clients: list[Client]) -> None:
    """That a worker may join with."""
    names = client_names(clients)
    assert len(names) == len(clients)
    assert len(set(names)) == len(names)
    assert all(Hello(name=name, nonce="0" * 32, facts=facts()).name == name for name in names)


def test_clients_are_called_as_their_hosts() -> None:
    """Without the user; numbered where two are the same."""
    clients = [Client(ssh="me@host"), Client(ssh="host"), Client(ssh="x", name="mine"), Client(ssh="you@host")]
    assert client_names(clients) == ("host", "host-2", "mine", "host-3")


@pytest.mark.parametrize("ssh", ["-oProxyCommand=id", "", "a b", "a;id", "$(id)", "a\nb", "@host"])
def test_a_host_that_is_none_is_refused(ssh: str) -> None:
    """Ssh would take the first for an option."""
    with pytest.raises(ValidationError):
        Client(ssh=ssh)


def test_the_matrix_says_where_such_a_host_stands() -> None:
    """With its line, and the key."""
    text = '[suite]\ntitle = "T"\n[preset.quick]\nwarmup = "0s"\nduration = "1s"\n[machine.local]\nthreads = [1]\n'
    text += 'connections = [4]\n[server.a]\nrun = ["a"]\n[[client]]\nssh = "-oProxyCommand=id"\n'
    with pytest.raises(BadInput) as refused:
        parse_matrix(text, "m.toml", TOOL_DATA)
    assert "m.toml:12:" in str(refused.value)
    assert "'ssh' must be a host, such as user@host; options belong in 'options'" in str(refused.value)
    assert "-oProxyCommand=id" in str(refused.value)


def remote(folder: Path, script: str) -> Remote:
    """Return a client machine whose ssh is a script of ours."""
    return Remote("a", (sys.executable, "-c", script), TOKEN, folder / "client-a.txt")


def test_the_token_goes_through_standard_input_and_its_end_ends_the_worker(tmp_path: Path) -> None:
    """What it printed is kept."""
    worker = remote(tmp_path, "import sys; print('got', sys.stdin.readline(), flush=True); sys.stdin.read()")
    worker.tend()
    assert worker.process is not None
    deadline = time.monotonic() + 5
    while f"got {TOKEN}" not in worker.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert worker.tend() is None
    worker.close()
    assert worker.process.returncode == 0
    assert f"got {TOKEN}" in worker.log.read_text()


def test_a_worker_that_ended_is_started_again_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its last words; but not at once, again and again."""
    worker = remote(tmp_path, "import sys; sys.exit('Permission denied')")
    worker.tend()
    assert worker.process is not None
    first = worker.process
    first.wait(10)
    assert worker.tend() is None
    monkeypatch.setattr(ssh_module, "AGAIN_S", 0.0)
    assert worker.tend() == "a: ssh ended with exit status 1: Permission denied"
    assert worker.process is not first
    worker.close()
    assert worker.process.poll() is not None


def test_a_worker_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as long as it may take; one that never began is none."""
    monkeypatch.setattr(ssh_module, "CLOSING_S", 0.1)
    worker = remote(tmp_path, "import time; time.sleep(60)")
    worker.close()
    worker.tend()
    worker.close()
    assert worker.process is not None
    assert worker.process.poll() is not None
