"""The carrier of a fleet's messages, in a child process with fakes of Locust, gevent and zmq: garbage ends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.loads.fleet.wire.link import LinkBroken, LocustLink, master_arguments, worker_arguments
from runners.loads.fleet.wire.messages import HostResult, Message
from tests.support import ROOT

RELAY = ROOT / "runners/loads/fleet/wire/relay.py"

FAKES = {
    "zmq.py": "MAXMSGSIZE = 'MAXMSGSIZE'\n",
    "gevent/__init__.py": "def sleep(seconds):\n    pass\n",
    "gevent/fileobject.py": """
def FileObject(descriptor, mode, close): return open(descriptor, mode, closefd=close)
""",
    "locust/__init__.py": """
class User: pass
def task(function): return function
class Hook:
    def add_listener(self, function):
        self.function = function
        return function
class events:
    init = Hook()
""",
    "locust/env.py": "class Environment: pass\n",
    "locust/exception.py": "class RPCReceiveError(Exception): pass\n",
    "locust/rpc/__init__.py": "",
    "locust/rpc/zmqrpc.py": """
class Socket:
    def __init__(self): self.did = []
    def setsockopt(self, option, value): self.did.append((option, value))
    def bind(self): self.did.append('bind')
class BaseSocket:
    def __init__(self, kind): self.socket, self.kind = Socket(), kind
    def recv_from_client(self): return self.received()
class Server(BaseSocket):
    def __init__(self):
        BaseSocket.__init__(self, 'router')
        self.socket.bind()
""",
    "locust/runners.py": """
class Runner:
    def __init__(self): self.handled, self.listeners, self.sent = [], {}, []
    def register_message(self, kind, listener): self.listeners[kind] = listener
    def send_message(self, kind, text, to=None):
        if to == 'gone': raise KeyError(to)
        self.sent.append((kind, text, to))
class MasterRunner(Runner):
    def handle_message(self, client_id, message):
        if message.data == 'bad': raise ZeroDivisionError('bad')
        self.handled.append((client_id, message.type))
class WorkerRunner(Runner):
    def handle_message(self, message):
        if message.data == 'bad': raise ZeroDivisionError('bad')
        self.handled.append(message.type)
""",
}
HEAD = """
import json, sys
import relay
from types import SimpleNamespace
from locust import events
from locust.exception import RPCReceiveError
from locust.rpc import zmqrpc
from locust.runners import MasterRunner, WorkerRunner
def message(kind, data=None): return SimpleNamespace(type=kind, data=data, node_id='n')
"""


@pytest.fixture(name="fakes")
def fake_packages(tmp_path: Path) -> Path:
    """Return a folder of packages that stand for Locust and what it needs."""
    for name, text in FAKES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def ran(fakes: Path, program: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Return what a program says that has loaded the relay."""
    env = {**os.environ, "PYTHONPATH": f"{fakes}{os.pathsep}{RELAY.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", HEAD + program]
    return subprocess.run(argv, input=given, capture_output=True, text=True, env=env, timeout=20, check=True)


def told(fakes: Path, program: str) -> object:
    """Return what a program prints as JSON."""
    return json.loads(ran(fakes, program).stdout)


def test_only_what_a_carrier_needs_is_handled(fakes: Path) -> None:
    """Any peer may send `spawn`, `quit`, `stats` or what it likes; it is dropped on both ends."""
    program = """
kinds = ['client_ready', 'heartbeat', 'speedup', 'ack', 'reconnect', 'spawn', 'quit', 'stats', 'exception', 'stop',
         'client_stopped', 'spawning_complete', 'locustfile', 'logs', '', None, 3, b'speedup']
master, worker = MasterRunner(), WorkerRunner()
for kind in kinds:
    master.handle_message('peer', message(kind))
    worker.handle_message(message(kind))
print(json.dumps([[kind for _, kind in master.handled], worker.handled]))
"""
    needed = ["client_ready", "heartbeat", "speedup", "ack", "reconnect"]
    assert told(fakes, program) == [needed, needed]


def test_a_type_that_is_no_word_ends_nothing(fakes: Path) -> None:
    """A list cannot be looked up in a set."""
    program = """
master = MasterRunner()
for kind in ([], {}, [['speedup']]):
    master.handle_message('peer', message(kind))
print(json.dumps(master.handled))
"""
    assert told(fakes, program) == []


def test_an_error_of_a_handler_ends_nothing(fakes: Path) -> None:
    """It is said, and the next message is handled."""
    program = """
master, worker = MasterRunner(), WorkerRunner()
for data in ('bad', 'good'):
    master.handle_message('peer', message('heartbeat', data))
    worker.handle_message(message('ack', data))
print(json.dumps([master.handled, worker.handled]))
"""
    done = ran(fakes, program)
    assert json.loads(done.stdout) == [[["peer", "heartbeat"]], ["ack"]]
    assert "dropped a message of type 'heartbeat': ZeroDivisionError('bad')" in done.stderr


def test_what_cannot_be_unpacked_is_an_error_that_locust_expects(fakes: Path) -> None:
    """All that unpacking may raise; a true message comes through, and an interruption stays one."""
    program = """
def raising(error):
    def receive(): raise error
    return receive
socket, found = zmqrpc.BaseSocket('x'), []
for error in (TypeError(), ValueError(), KeyError(), IndexError(), AttributeError(),
              UnicodeDecodeError('u', b'', 0, 1, ''), RPCReceiveError()):
    socket.received = raising(error)
    try: socket.recv_from_client()
    except RPCReceiveError: found.append(type(error).__name__)
socket.received = lambda: 'whole'
found.append(socket.recv_from_client())
socket.received = raising(KeyboardInterrupt())
try: socket.recv_from_client()
except KeyboardInterrupt: found.append('interrupted')
print(json.dumps(found))
"""
    assert told(fakes, program) == [
        *("TypeError", "ValueError", "KeyError", "IndexError", "AttributeError", "UnicodeDecodeError"),
        *("RPCReceiveError", "whole", "interrupted"),
    ]


def test_messages_are_limited_before_a_socket_is_bound(fakes: Path) -> None:
    """Later it would not count; and the limit holds the largest result that the schema allows."""
    did = told(fakes, "print(json.dumps(zmqrpc.Server().socket.did))")
    assert isinstance(did, list)
    (name, most), bound = did
    assert (name, bound) == ("MAXMSGSIZE", "bind")
    text = next(each for each in HostResult.model_fields["output"].metadata if hasattr(each, "max_length"))
    assert most > text.max_length
    assert issubclass(HostResult, Message)


def test_texts_are_carried_both_ways(fakes: Path) -> None:
    """What is no text is dropped, and a peer that has gone ends nothing."""
    program = """
runner = MasterRunner()
import os
real = os._exit
def leave(code):
    runner.listeners['speedup'](msg=message('speedup', 'late'))
    sys.stderr.write(json.dumps(runner.sent))
    sys.stderr.flush()
    real(code)
relay.os._exit = leave
send = runner.send_message
def sending(kind, text, to=None):
    send(kind, text, to)
    for data in ('back', None, 3, b'x', ['x']):
        runner.listeners['speedup'](msg=message('speedup', data))
runner.send_message = sending
events.init.function(SimpleNamespace(runner=runner))
"""
    lines = [{"to": "gone", "text": "a"}, {"to": "w", "text": "line\nbreak"}, {"to": None, "text": "\ud800"}]
    done = ran(fakes, program, "".join(f"{json.dumps(line)}\n" for line in lines))
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {},
        {"from": "n", "text": "back"},
        {"from": "n", "text": "back"},
        {"from": "n", "text": "late"},
    ]
    assert "not sent: KeyError('gone')" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == [
        ["speedup", "line\nbreak", "w"],
        ["speedup", "\ud800", None],
    ]


LOCUST = """#!{python}
import json, sys
print(json.dumps({{}}), flush=True)
print(json.dumps({{"from": "x", "text": " ".join(sys.argv[1:])}}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if message["text"] == "end":
        sys.exit(3)
    print(json.dumps({{"from": str(message["to"]), "text": message["text"]}}), flush=True)
"""


@pytest.fixture(name="env")
def environment_with_locust(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `locust` is a script that sends back what it is given."""
    tool = tmp_path / "locust"
    tool.write_text(LOCUST.format(python=sys.executable), encoding="utf-8")
    tool.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def heard(link: LocustLink) -> tuple[str, str]:
    """Return who sent what."""
    for _ in range(50):
        incoming = link.receive(0.2)
        if incoming:
            return incoming.sender, incoming.text
    raise AssertionError("nothing came")


def test_a_link_carries_texts_through_its_child(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it says that the other end is reached; line breaks and long texts included."""
    monkeypatch.setenv("PATH", env["PATH"])
    with Path(os.devnull).open("wb") as log:
        link = LocustLink(worker_arguments("192.0.2.1", 5557), env, log)
    before = link.ready
    sender, words = heard(link)
    assert (before, link.ready) == (False, True)
    assert (sender, words.split()[:2]) == ("x", ["-f", "relay.py"])
    assert words.endswith("--worker --master-host 192.0.2.1 --master-port 5557")
    for text in ("line\nbreak", "x" * 3_000_000, "\ud800"):
        link.send(text, "w")
        assert heard(link) == ("w", text)
    assert link.receive(0.0) is None
    link.close()


def test_a_link_whose_child_ends_is_broken(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With how it ended, to whoever sends or receives."""
    monkeypatch.setenv("PATH", env["PATH"])
    with Path(os.devnull).open("wb") as log:
        link = LocustLink(master_arguments("127.0.0.1", 5557), env, log)
    heard(link)
    link.send("end")
    with pytest.raises(LinkBroken, match=r"Locust ended \(exit status 3\)"):
        heard(link)
    with pytest.raises(LinkBroken, match=r"Locust ended \(exit status 3\)"):
        link.send("more")
    link.close()


def test_the_master_s_end_is_bound_where_it_is_told() -> None:
    """And nowhere else; without a web page."""
    argv = master_arguments("127.0.0.1", 5557)
    assert argv[argv.index("--master-bind-host") + 1] == "127.0.0.1"
    assert "--headless" in argv
