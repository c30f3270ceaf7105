"""The carrier of a fleet's messages, in a child process with fakes of Locust, gevent and zmq: garbage ends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from runners.loads.fleet.wire.link import LinkBroken, LocustLink, master_arguments, worker_arguments
from tests.support import ROOT

RELAY = ROOT / "runners/loads/fleet/wire/relay.py"

FAKES = {
    "zmq.py": "MAXMSGSIZE, RCVHWM = 'MAXMSGSIZE', 'RCVHWM'\nclass ZMQError(Exception): pass\n",
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
    "locust/exception.py": "class RPCError(Exception): pass\nclass RPCReceiveError(RPCError): pass\n",
    "locust/rpc/__init__.py": """
import json
class Message:
    def __init__(self, type, data, node_id): self.type, self.data, self.node_id = type, data, node_id
    @classmethod
    def unserialize(cls, data): return cls(*json.loads(data))
""",
    "locust/rpc/zmqrpc.py": """
class Socket:
    def __init__(self): self.did, self.coming = [], []
    def recv_multipart(self):
        came = self.coming.pop(0)
        if isinstance(came, BaseException): raise came
        return came
    def setsockopt(self, option, value): self.did.append((option, value))
    def bind(self): self.did.append('bind')
class BaseSocket:
    def __init__(self, kind): self.socket, self.kind = Socket(), kind
class Server(BaseSocket):
    def __init__(self):
        BaseSocket.__init__(self, 'router')
        self.socket.bind()
""",
    "locust/runners.py": """
class Runner:
    def __init__(self): self.handled, self.listeners, self.sent = [], {}, []
    def register_message(self, kind, listener): self.listeners[kind] = listener
    def send_message(self, kind, text=None, to=None):
        if to == 'gone': raise KeyError(to)
        self.sent.append((kind, text, to))
class MasterRunner(Runner):
    environment = None
    @property
    def custom_messages(self):
        return {kind: (lambda environment, msg: listener(msg=msg), False) for kind, listener in self.listeners.items()}
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
from locust.exception import RPCError
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
kinds = ['client_ready', 'heartbeat', 'speedup', 'speedup.part', 'ack', 'reconnect', 'spawn', 'quit', 'stats', 'stop',
         'exception', 'client_stopped', 'spawning_complete', 'locustfile', 'logs', '', None, 3, b'speedup', [], {}]
master, worker, heard = MasterRunner(), WorkerRunner(), []
master.register_message('speedup', lambda msg: heard.append(msg.type))
for kind in kinds:
    master.handle_message('peer', message(kind))
    worker.handle_message(message(kind))
print(json.dumps([[kind for kind, _, _ in master.sent], heard, worker.handled]))
"""
    assert told(fakes, program) == [
        ["ack", "heartbeat"],
        ["speedup", "speedup.part"],
        ["heartbeat", "speedup", "ack", "reconnect"],
    ]


def test_an_error_of_a_handler_ends_nothing(fakes: Path) -> None:
    """It is said, and the next message is handled."""
    program = """
master, worker = MasterRunner(), WorkerRunner()
for data in ('bad', 'good'):
    master.handle_message('gone' if data == 'bad' else 'peer', message('heartbeat', data))
    worker.handle_message(message('ack', data))
print(json.dumps([master.sent, worker.handled]))
"""
    done = ran(fakes, program)
    assert json.loads(done.stdout) == [[["heartbeat", None, "peer"]], ["ack"]]
    assert "dropped a message of type 'heartbeat': KeyError('gone')" in done.stderr


def test_what_cannot_be_unpacked_is_passed_over(fakes: Path) -> None:
    """The next true message comes through; a broken network and an interruption stay what they are."""
    program = """
import zmq
socket, found = zmqrpc.BaseSocket('x'), []
true = json.dumps(['speedup', 'text', 'who it says']).encode()
socket.socket.coming = [[b'peer'], [b'peer', b'{'], [b'peer', b'3'], [b'peer', b'', true], [b'peer', b'[1, 2]'],
                        [b'\\xff', true], zmq.ZMQError(), KeyboardInterrupt()]
peer, came = socket.recv_from_client()
found += [peer, came.data, came.node_id]
for error in (RPCError, KeyboardInterrupt):
    try: socket.recv_from_client()
    except error: found.append(error.__name__)
socket.socket.coming = [[b'{'], [true]]
found.append(socket.recv().data)
print(json.dumps(found))
"""
    peer = "\\xff"
    assert told(fakes, program) == [peer, "text", peer, "RPCError", "KeyboardInterrupt", "text"]


def test_frames_are_limited_before_a_socket_is_bound(fakes: Path) -> None:
    """Later it would not count; and parts of a text fit, whatever its characters."""
    assert told(fakes, "print(json.dumps(zmqrpc.Server().socket.did))") == [
        ["MAXMSGSIZE", 65536],
        ["RCVHWM", 64],
        "bind",
    ]
    assert told(fakes, "print(json.dumps(relay.PART_CHARACTERS * 4 + 1000 < relay.FRAME_BYTES))") is True


def test_a_stranger_may_send_little_and_seldom(fakes: Path) -> None:
    """A hello, or some of them; the rest is dropped unread, until its peer is trusted."""
    program = """
relay.time.monotonic = lambda: 7.0
gate = relay.gate
found = [gate.admits('a', relay.STRANGER_BYTES), gate.admits('a', relay.STRANGER_BYTES + 1)]
found.append(sum(gate.admits('a', 10) for _ in range(1000)))
found.append(sum(gate.admits(str(number), 10) for number in range(1000)))
gate.trusted.add('a')
found.append(all(gate.admits('a', 60000) for _ in range(1000)))
relay.time.monotonic = lambda: 8.0
found.append(gate.admits('b', 10))
print(json.dumps(found))
"""
    assert told(fakes, program) == [True, False, 7, 392, True, True]


def test_what_strangers_do_is_said_in_few_clean_lines(fakes: Path) -> None:
    """A terminal obeys none of it, and no disk is filled by it."""
    program = """
for number in range(100_000):
    relay.complain(f'\\x1b[2J\\nrejected {number} \\u202e' + 'x' * 5000)
print(json.dumps('said'))
"""
    said = ran(fakes, program).stderr
    assert said.isascii()
    assert "\x1b" not in said
    assert len(said) < 20_000
    assert said.splitlines()[-1] == "dropped 100,000 messages so far"


def test_a_long_text_goes_in_parts(fakes: Path) -> None:
    """And is whole again where it arrives; that of a stranger is not kept."""
    program = """
joiner, found = relay.Joiner(), []
relay.gate.trusted.add('friend')
texts = ['', 'x', 'y' * relay.PART_CHARACTERS, 'z' * (3 * relay.PART_CHARACTERS + 1)]
for peer in ('friend', 'stranger'):
    for text in texts:
        got = [joiner.text(peer, kind, part) for kind, part in relay.pieces(text)]
        found.append([len(got), got[-1] == text, joiner.parts.get(peer)])
for _ in range(10_000):
    joiner.text('friend', relay.PART, 'x' * relay.PART_CHARACTERS)
found.append(len(joiner.parts['friend']) <= 1400)
print(json.dumps(found))
"""
    whole = [[1, True, None], [1, True, None], [1, True, None], [4, True, None]]
    assert told(fakes, program) == [*whole, *whole[:3], [4, False, None], True]


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


def test_a_line_is_whole_however_it_is_cut(tmp_path: Path) -> None:
    """What is kept of it meanwhile is joined once, so that a long line costs no more per byte than a short one."""
    link = LocustLink.__new__(LocustLink)
    link._lines, link._rest = deque(), []
    for piece in (b"o", b"ne\ntwo\nth", b"r"):
        (tmp_path / "pipe").write_bytes(piece)
        with (tmp_path / "pipe").open("rb") as link._from:
            link._read()
    assert (list(link._lines), link._rest) == ([b"one", b"two"], [b"th", b"r"])


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
