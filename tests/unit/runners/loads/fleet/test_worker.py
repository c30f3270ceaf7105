"""A worker: joins, obeys its master and nobody else, and leaves nothing running."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.loads.fleet.wire.clock import now_us
from runners.loads.fleet.wire.link import Incoming, LinkBroken
from runners.loads.fleet.wire.messages import (
    Hello,
    HostResult,
    Message,
    Order,
    Ping,
    Pong,
    Ready,
    Refusal,
    Stop,
    Welcome,
    from_worker,
)
from runners.loads.fleet.wire.seal import Seal, nonce, session_of
from runners.loads.fleet.worker import worker as worker_module
from runners.loads.fleet.worker.loading import Place, Running, job_of, looks_us
from runners.loads.fleet.worker.worker import Membership, Worker, serve
from runners.matrix.requests.locustfile import sha256_of
from tests.support.fleet_fakes import TOKEN, TRIAL, FakeLink, facts, order, wrk_output
from tests.unit.runners.loads.fleet.test_seal import ANY_TEXT

WRK = """#!{python}
import sys, time
from pathlib import Path
Path({folder!r}, "arguments").write_text(" ".join(sys.argv[1:]))
if "/slow" in sys.argv[-1]:
    time.sleep(60)
if "/heeds" in sys.argv[-1]:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
if "/fails" in sys.argv[-1]:
    sys.exit("unable to connect")
time.sleep(0.2)
print({output!r}, end="")
"""


class Enough(Exception):
    """Ends a worker in a test, as a signal does outside of one."""


class FakeMaster:
    """The other end of a worker's link."""

    def __init__(self, link: FakeLink, token: str = TOKEN) -> None:
        self.link, self.token = link, token
        self.said: list[Message] = []
        self.hellos = 0
        self.seal: Seal | None = None
        self.refusing: str | None = None
        link.hear = lambda text, _to: self.hear(text)

    def hear(self, text: str) -> None:
        """Let a worker in, and keep what it says."""
        if self.seal is None:
            hello = from_worker(Seal(TOKEN, "master").open(text))
            assert isinstance(hello, Hello)
            self.hellos += 1
            self.answer(hello)
            return
        self.said.append(from_worker(self.seal.open(text)))

    def answer(self, hello: Hello) -> None:
        """Welcome a worker, or refuse it."""
        own, first = nonce(), Seal(self.token, "master")
        if self.refusing:
            self.send(first.wrap(Refusal(to=hello.nonce, reason=self.refusing).model_dump_json()))
            return
        self.send(first.wrap(Welcome(to=hello.nonce, nonce=own).model_dump_json()))
        if self.token == TOKEN:
            self.seal = Seal(self.token, "master", session_of(own, hello.nonce))

    def send(self, text: str) -> None:
        """Let a text come to the worker."""
        self.link.coming.append(Incoming("master", text))

    def say(self, message: Message) -> None:
        """Seal a message and send it."""
        assert self.seal is not None
        self.send(self.seal.wrap(message.model_dump_json()))


class Client:
    """A client host with a worker and a fake wrk, and the master that it joins."""

    def __init__(self, folder: Path) -> None:
        tool = folder / "bin/wrk"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(WRK.format(python=sys.executable, folder=str(folder), output=wrk_output({80: 10})))
        tool.chmod(0o755)
        self.arguments = folder / "arguments"
        self.link = FakeLink()
        self.master = FakeMaster(self.link)
        env = {**os.environ, "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
        self.place = Place(env, folder, 2)
        self.member = Membership("a", TOKEN, frozenset({"127.0.0.1"}), facts)
        self.worker = Worker(self.member, self.place, self.link, lambda: None)

    def until(self, done: Callable[[], bool], patience_s: float = 10.0) -> None:
        """Let the worker work until something is so, and end it."""
        deadline = time.monotonic() + patience_s

        def tick() -> None:
            if done():
                raise Enough
            assert time.monotonic() < deadline, "it took too long"

        self.worker.tick = tick
        with pytest.raises(Enough):
            self.worker.run()

    def join(self) -> None:
        """Let the worker join."""
        self._turns(lambda: self.worker.seal is not None)

    def _turns(self, done: Callable[[], bool], patience_s: float = 10.0) -> None:
        """Let the worker work until something is so, and let it live."""
        deadline = time.monotonic() + patience_s
        while not done():
            assert time.monotonic() < deadline, "it took too long"
            self.worker._turn()

    def told(self, kind: type[Message]) -> list[Any]:
        """Return what the worker said of a kind."""
        return [message for message in self.master.said if isinstance(message, kind)]

    def obeys(self, wanted: Order) -> HostResult:
        """Return what the worker says of an order."""
        self.master.say(wanted)
        self._turns(lambda: bool(self.told(HostResult)))
        return self.told(HostResult)[-1]  # type: ignore[no-any-return]

    def begins(self, wanted: Order) -> Running:
        """Return the generator that an order has started."""
        self.master.say(wanted)
        self._turns(self.arguments.exists)
        assert self.worker.running is not None
        return self.worker.running


@pytest.fixture(name="client")
def one_client(tmp_path: Path) -> Iterator[Client]:
    """Return a client host."""
    made = Client(tmp_path)
    yield made
    if made.worker.running is not None:
        made.worker.running.stop()
    made.link.close()


def test_a_worker_joins_and_answers_pings(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """With its clock."""
    client.join()
    client.master.say(Ping(number=7))
    before_us = now_us()
    client.until(lambda: bool(client.told(Pong)))
    (pong,) = client.told(Pong)
    assert pong.number == 7
    assert before_us <= pong.read_us <= now_us()
    assert caplog.messages == ["joined; waiting for orders"]


def test_a_worker_says_nothing_before_the_other_end_is_reached(client: Client) -> None:
    """A hello that waits would be too old when it comes."""
    client.link.ready = False
    for _ in range(3):
        client.worker._turn()
    assert client.link.sent == []


def test_a_worker_asks_again_until_it_is_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another nonce each time; but not all the time."""
    client.link.hear = lambda _text, _to: None
    for _ in range(5):
        client.worker._turn()
    assert len(client.link.sent) == 1
    monkeypatch.setattr(worker_module, "HELLO_S", 0.0)
    client.worker._turn()
    first, second = (Seal(TOKEN, "master").open(text) for text, _ in client.link.sent)
    assert first != second


def test_a_refused_worker_says_why_and_does_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It may fit later: it asks again."""
    client.master.refusing = "it has another wrk"
    client.until(lambda: bool(caplog.messages))
    assert caplog.messages == ["the master rejects this worker: it has another wrk"]
    assert client.worker.seal is None


def test_a_master_without_the_token_is_no_master(client: Client) -> None:
    """Nor is one that repeats the welcome of another session."""
    client.master.token = "another token than the one"  # noqa: S105 - nobody's
    for _ in range(5):
        client.worker._turn()
    assert client.worker.seal is None
    client.master.send(Seal(TOKEN, "master").wrap(Welcome(to="0" * 32, nonce="1" * 32).model_dump_json()))
    client.worker._turn()
    assert client.worker.seal is None


def test_a_worker_loads_what_it_is_told_to(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """And says what its generator printed, when it began, and what the host saw."""
    client.join()
    wanted = order(path="/x", connections=4)
    told = client.obeys(wanted)
    assert client.told(Ready) == [Ready(trial=TRIAL)]
    assert (told.trial, told.failure, told.threads) == (TRIAL, None, 2)
    assert told.output == wrk_output({80: 10})
    assert wanted.start_us <= told.started_us < told.ended_us
    assert client.arguments.read_text().split()[:4] == ["-t", "2", "-c", "4"]
    assert client.arguments.read_text().endswith("http://127.0.0.1:8080/x")
    assert "loading 127.0.0.1:8080/x with 4 connections" in caplog.messages
    assert [path.name for path in client.place.folder.glob("*.txt")] == []


def test_a_generator_is_started_at_its_moment(client: Client) -> None:
    """Never before it, and soon after it, also where this machine is busy with tests."""
    client.join()
    wanted = order(start_us=now_us() + 700_000)
    assert 0 <= client.obeys(wanted).started_us - wanted.start_us < 300_000


@pytest.mark.parametrize(
    ("wanted", "looks"),
    [
        ({"duration_s": 10.0}, (0.5, 9.5)),
        ({"duration_s": 1.0}, (0.1, 0.9)),
        ({"duration_s": 0.2}, (0.05, 0.18)),
        ({"duration_s": 0.04}, (0.05, 0.05)),
        ({"duration_s": 1.0, "warmup_s": 2.0, "generator": "locust"}, (2.1, 2.9)),
    ],
    ids=lambda each: str(each) if isinstance(each, dict) else "",
)
def test_a_generator_is_looked_at_where_the_window_begins_and_ends(
    wanted: dict[str, Any], looks: tuple[float, float]
) -> None:
    """And not in between, as that wakes a program beside the load; never before it is the generator."""
    told = order(**wanted)
    assert [(each - told.start_us) / 1e6 for each in looks_us(told)] == pytest.approx(looks)


def test_a_worker_loads_no_host_that_it_was_not_started_for(client: Client) -> None:
    """Whoever has the token must not turn a fleet against others."""
    client.join()
    told = client.obeys(order(host="192.0.2.1"))
    assert told.failure == "192.0.2.1 is not a host that this worker may load; see --target"
    assert client.worker.running is None
    assert not client.arguments.exists()


@pytest.mark.parametrize("has", [None, "another = True\n", "no Python ("])
def test_a_worker_runs_no_users_but_those_of_its_own_file_that_are_meant(client: Client, has: str | None) -> None:
    """The master names them by their hash; it cannot send any."""
    if has is not None:
        (client.place.folder / "users.py").write_text(has)
        client.worker.place = replace(client.place, locustfile=client.place.folder / "users.py")
    client.join()
    told = client.obeys(order(generator="locust", locustfile="0" * 64))
    assert told.failure == "its locustfile is missing or is not the matrix's; see --locustfile"
    assert client.worker.running is None


def test_an_order_for_a_person_s_own_users_names_this_host_s_copy(tmp_path: Path) -> None:
    """And one for ours does not, whatever the worker was started with."""
    file = tmp_path / "users.py"
    file.write_text("class Me: pass\n")
    known = sha256_of(file)
    job = job_of(order(generator="locust", locustfile=known), 2, file)
    assert job.locustfile is not None
    assert (job.locustfile.path, job.locustfile.sha256) == (str(file), known)
    assert job_of(order(generator="locust"), 2, file).locustfile is None


def test_a_generator_that_fails_is_told_with_its_words(client: Client) -> None:
    """As when the server cannot be reached."""
    client.join()
    told = client.obeys(order(path="/fails"))
    assert told.failure == "wrk ended with exit status 1"
    assert told.output == "unable to connect\n"


@pytest.mark.parametrize("measured", [True, False])
def test_a_generator_that_counts_in_whole_seconds_is_ended_early(client: Client, measured: bool) -> None:  # noqa: FBT001
    """It may say what it counted; after a warm-up, nothing that it says is needed."""
    client.join()
    told = client.obeys(order(path="/heeds", duration_s=0.6, measured=measured))
    assert told.failure is None
    assert told.output == (wrk_output({80: 10}) if measured else "")


def test_a_generator_that_is_not_there_is_told(client: Client) -> None:
    """It was there when the worker joined."""
    client.join()
    (client.place.folder / "bin/wrk").unlink()
    client.worker.place = replace(client.place, env={"PATH": "/nowhere"})
    told = client.obeys(order())
    assert told.failure is not None
    assert "wrk" in told.failure


def test_a_folder_that_has_gone_is_told(client: Client) -> None:
    """Its generator has nowhere to print to."""
    client.join()
    client.worker.place = replace(client.place, folder=client.place.folder / "nowhere")
    assert client.obeys(order()).failure == "wrk cannot be started here: No such file or directory"


def test_a_generator_that_does_not_end_is_ended(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """And said to be."""
    client.join()
    running = client.begins(order(path="/slow"))
    monkeypatch.setattr(running, "phase", replace(running.phase, limit_s=0.1))
    client._turns(lambda: bool(client.told(HostResult)))
    assert client.told(HostResult)[-1].failure == "wrk did not end within 0.1 s"
    assert running.process.poll() is not None


def test_stop_ends_what_runs(client: Client) -> None:
    """Without a result; and the worker waits for orders."""
    client.join()
    running = client.begins(order(path="/slow"))
    client.master.say(Stop())
    client._turns(lambda: client.worker.running is None)
    assert running.process.poll() is not None
    assert client.told(HostResult) == []
    assert client.obeys(order()).failure is None


def test_stop_without_anything_that_runs_is_no_error(client: Client) -> None:
    """The master sends it to all."""
    client.join()
    client.master.say(Stop())
    assert client.obeys(order()).failure is None


def test_a_new_order_ends_the_one_before(client: Client) -> None:
    """A master that was started again does not know of it."""
    client.join()
    running = client.begins(order(path="/slow"))
    second = order(trial="f" * 32)
    assert client.obeys(second).trial == second.trial
    assert running.process.poll() is not None


def test_a_link_that_breaks_ends_what_runs(client: Client) -> None:
    """Nothing loads a server whose master is gone."""
    client.join()
    running = client.begins(order(path="/slow"))
    client.link.broken = "Locust ended (SIGKILL)"
    with pytest.raises(LinkBroken):
        client.worker.run()
    assert running.process.poll() is not None


def test_a_master_that_falls_silent_is_gone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it had started ends."""
    client.join()
    running = client.begins(order(path="/slow"))
    monkeypatch.setattr(worker_module, "SILENCE_S", 0.1)
    with pytest.raises(LinkBroken, match="the master fell silent"):
        client.worker.run()
    assert running.process.poll() is not None


def test_a_signal_ends_what_runs(client: Client) -> None:
    """Whatever ends a worker does."""
    client.join()
    running = client.begins(order(path="/slow"))
    client.until(lambda: True)
    assert running.process.poll() is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(ANY_TEXT, max_size=4), joined=st.sampled_from(["before", "after"]))
def test_nobody_else_makes_a_worker_do_anything(client: Client, texts: list[str], joined: str) -> None:
    """Before and after it has joined; strangers do not keep it alive either."""
    if joined == "before" and client.worker.seal is None:
        client.join()
    heard_at = client.worker.heard_at
    sealed = [Seal("another token than the one", "master").wrap(order().model_dump_json())]
    sealed += [Seal(TOKEN, "master", "another session").wrap(order().model_dump_json())]
    for text in [*texts, *sealed]:
        client.worker._hear(text)
    assert client.worker.running is None
    assert client.worker.heard_at == heard_at


def test_an_order_before_joining_is_not_obeyed(client: Client) -> None:
    """Though it is sealed with the token: it may be of an earlier day."""
    client.link.hear = lambda _text, _to: None
    client.worker._turn()
    for _ in range(2):
        client.master.send(Seal(TOKEN, "master").wrap(order().model_dump_json()))
        client.worker._turn()
    assert client.worker.running is None


def test_an_order_that_is_repeated_is_obeyed_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever recorded it cannot let it happen again."""
    client.join()
    assert client.master.seal is not None
    text = client.master.seal.wrap(order().model_dump_json())
    client.master.send(text)
    client._turns(lambda: bool(client.told(HostResult)))
    client.master.send(text)
    client.worker._turn()
    assert client.worker.running is None
    assert "dropped a message: it repeats message 1" in caplog.messages


def test_a_malformed_message_of_the_master_is_dropped(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and the worker goes on."""
    client.join()
    assert client.master.seal is not None
    client.master.send(client.master.seal.wrap('{"kind": "order", "argv": ["sh"]}'))
    client.worker._turn()
    assert any(line.startswith("dropped a message: order.") for line in caplog.messages)
    assert client.obeys(order()).failure is None


def test_a_worker_returns_to_a_new_master_until_it_is_ended(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By a new link each time, the old one being closed."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    links: list[FakeLink] = []

    def connect() -> FakeLink:
        if len(links) == 3:
            raise KeyboardInterrupt
        link = FakeLink()
        link.broken = f"master {len(links)} ended"
        links.append(link)
        return link

    def make(link: Any) -> Worker:
        return Worker(client.member, client.place, link, lambda: None)

    with pytest.raises(KeyboardInterrupt):
        serve(connect, make, pause_s=0.0)
    assert all(link.closed for link in links)
    assert caplog.messages == [f"master {number} ended; joining again" for number in range(3)]
