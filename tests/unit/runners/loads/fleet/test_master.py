"""The master: one order to all clients at once; whoever does not do its part ends it for all, by name."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads.fleet.master import ask as ask_module
from runners.loads.fleet.master import master as master_module
from runners.loads.fleet.master import members as members_module
from runners.loads.fleet.master.master import Desk, Master, OrderFailed, _is_here, _parts
from runners.loads.fleet.master.members import Member
from runners.loads.fleet.wire.clock import Exchange
from runners.loads.fleet.wire.link import Incoming, LinkBroken
from runners.loads.fleet.wire.messages import HostSample, Order, Pong, Ready, Stop
from runners.loads.fleet.wire.seal import Seal
from tests.support.fleet_fakes import TOKEN, TRIAL, FakeLink, FakeWorker, facts, result

WANTED = {
    "what": "load", "generator": "wrk", "host": "127.0.0.1", "port": 8080, "path": "/", "mode": "persistent",
    "connections": 5, "threads": None, "warmup_s": 0.0, "duration_s": 1.0, "measured": True,
    "locustfile": None, "wait_s": 0.3,
}  # fmt: skip


class Fleet:
    """A master and workers without a network between them."""

    def __init__(self, *names: str) -> None:
        self.link = FakeLink()
        self.master = Master(TOKEN, self.link, len(names))
        self.workers = {name: FakeWorker(self.link, name) for name in names}
        self.link.hear = self._heard
        for worker in self.workers.values():
            worker.send(worker.hello())
        while self.link.coming:
            self.master.idle()

    def _heard(self, text: str, to: str | None) -> None:
        for worker in self.workers.values():
            if worker.address == to:
                worker.heard_text(text)

    def load(self, **changes: Any) -> list[dict[str, Any]]:
        """Return what all clients told of an order."""
        return self.master.carry_out({**WANTED, **changes}, lambda: True)

    def fails(self, **changes: Any) -> OrderFailed:
        """Return how an order failed."""
        with pytest.raises(OrderFailed) as failed:
            self.load(**changes)
        return failed.value

    def orders(self) -> dict[str, Order]:
        """Return the order that each worker heard last."""
        return {
            name: next(message for message in reversed(worker.heard) if isinstance(message, Order))
            for name, worker in self.workers.items()
        }

    def stopped(self) -> set[str]:
        """Return who was told to stop."""
        return {name for name, worker in self.workers.items() if any(isinstance(m, Stop) for m in worker.heard)}


@pytest.fixture(name="fleet")
def two_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Return a fleet of two, whose orders begin soon."""
    monkeypatch.setattr(master_module, "LEAD_S", {"wrk": 0.1, "locust": 0.1})
    monkeypatch.setattr(master_module, "CLOCK_S", 0.3)
    made = Fleet("a", "b")
    yield made
    made.link.close()


def test_all_clients_do_their_part(fleet: Fleet) -> None:
    """And the answer holds what each of them said, and what it was told."""
    told = fleet.load()
    assert [(each["name"], each["connections"], each["threads"]) for each in told] == [("a", 3, 2), ("b", 2, 2)]
    assert all("speedup:histogram 80:900 120:100" in each["output"] for each in told)
    assert told[0]["facts"]["cpu"] == "Invented CPU"
    assert fleet.stopped() == set()
    json.dumps(told)


def test_all_clients_begin_at_the_same_moment_of_the_master_s_clock(fleet: Fleet) -> None:
    """Each is told it in its own time, and what it says is translated back."""
    fleet.workers["a"].ahead_us = 7_000_000_000
    fleet.workers["b"].ahead_us = -3_000_000
    one, other = fleet.load()
    orders = fleet.orders()
    apart_us = orders["a"].start_us - orders["b"].start_us
    unsure_us = one["clock_uncertainty_us"] + other["clock_uncertainty_us"]
    assert abs(apart_us - 7_003_000_000) <= unsure_us + 2
    assert one["started_us"] == other["started_us"]
    assert one["samples"][0] == [one["started_us"] - 100_000, 5]
    assert abs(one["clock_offset_us"] - 7_000_000_000) <= one["clock_uncertainty_us"]


def test_a_clock_that_moves_meanwhile_is_told(fleet: Fleet) -> None:
    """As its drift, which V28 judges."""

    def jumps(order: Order) -> None:
        fleet.workers["a"].do_well(order)
        fleet.workers["a"].ahead_us = 60_000

    fleet.workers["a"].obey = jumps
    one, other = fleet.load()
    assert one["clock_drift_us"] == pytest.approx(60_000, abs=10_000)
    assert abs(other["clock_drift_us"]) < 10_000


def member(name: str) -> Member:
    """Return a member whose clock is known."""
    made = Member(name, f"id-{name}", facts(), Seal(TOKEN, "master", "s"), time.monotonic())
    made.exchanges.append(Exchange(0, 0, 0))
    return made


@given(clients=st.integers(1, 20), connections=st.integers(1, 5000))
def test_connections_are_shared_as_evenly_as_can_be(clients: int, connections: int) -> None:
    """None is lost, no client has two more than another; fewer than clients are refused."""
    members = [member(f"c{number}") for number in range(clients)]
    wanted = {**WANTED, "connections": connections}
    if connections < clients:
        with pytest.raises(OrderFailed, match=f"{connections} connections cannot be divided among {clients} clients"):
            _parts(members, wanted, 0)
        return
    shares = [part.order.connections for part in _parts(members, wanted, 0)]
    assert sum(shares) == connections
    assert max(shares) - min(shares) <= 1


def test_every_order_is_a_trial_of_its_own(fleet: Fleet) -> None:
    """So that an answer to an earlier one is never taken for one to this."""
    fleet.load()
    first = fleet.orders()["a"].trial
    fleet.load()
    assert fleet.orders()["a"].trial != first
    assert fleet.orders()["a"].trial == fleet.orders()["b"].trial


def test_a_client_that_answers_for_another_trial_ends_the_order(fleet: Fleet) -> None:
    """As one that lies, or repeats what it said before."""
    worker = fleet.workers["b"]
    worker.obey = lambda order: worker.say(result(order, trial=TRIAL))
    failed = fleet.fails()
    assert (failed.client, str(failed)) == ("b", "answered for another trial than the one it was ordered to load")
    assert fleet.stopped() == {"a", "b"}


def test_a_malformed_message_of_a_client_ends_the_order(fleet: Fleet) -> None:
    """It is of another version, or lies."""
    worker = fleet.workers["b"]
    worker.obey = lambda _: worker.body('{"kind": "result", "requests": 1000000}')
    assert "a client sent a malformed message" in str(fleet.fails())
    assert fleet.stopped() == {"a", "b"}


def test_a_client_that_falls_silent_ends_the_order(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as long as its pings are waited for, not at the end of the trial."""
    monkeypatch.setattr(members_module, "SILENCE_S", 0.3)
    monkeypatch.setattr(members_module, "PING_S", 0.05)
    worker = fleet.workers["b"]

    def falls_silent(order: Order) -> None:
        worker.say(Ready(trial=order.trial))
        worker.silent = True

    worker.obey = falls_silent
    began = time.monotonic()
    failed = fleet.fails(duration_s=60.0)
    assert failed.client == "b"
    assert "fell silent" in str(failed)
    assert time.monotonic() - began < 5
    assert fleet.stopped() == {"a", "b"}


def test_a_client_that_is_not_ready_at_the_moment_ends_the_order(fleet: Fleet) -> None:
    """It could not begin with the others."""
    fleet.workers["b"].obey = lambda _: None
    failed = fleet.fails()
    assert (failed.client, str(failed)) == ("b", "was not ready in time")


def test_a_client_without_a_result_in_time_ends_the_order(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it still answers pings."""
    monkeypatch.setattr(master_module, "PATIENCE_S", 0.2)
    worker = fleet.workers["b"]
    worker.obey = lambda order: worker.say(Ready(trial=order.trial))
    failed = fleet.fails(duration_s=0.1)
    assert failed.client == "b"
    assert str(failed).startswith("sent no result within 0.")


def test_a_client_that_comes_back_as_another_process_ends_the_order(fleet: Fleet) -> None:
    """What its first process counted is lost, also where it takes the same address."""
    worker = fleet.workers["b"]

    def restarts(_: Order) -> None:
        fleet.master.members.by_address[worker.address].heard_at = float("-inf")
        fleet.master.members.hear(worker.address, worker.hello())

    worker.obey = restarts
    failed = fleet.fails()
    assert failed.client == "b"
    assert str(failed).startswith("came back as another process")


def test_a_failure_on_a_client_is_told_with_its_last_words(fleet: Fleet) -> None:
    """Such as wrk's own."""
    worker = fleet.workers["a"]
    worker.obey = lambda order: worker.say(
        result(order, failure="wrk ended with exit status 1", output="x" * 5000 + "unable to connect\n")
    )
    failed = fleet.fails()
    assert failed.client == "a"
    assert str(failed).startswith("wrk ended with exit status 1: x")
    assert str(failed).endswith("unable to connect")
    assert len(str(failed)) < 400


def test_a_client_whose_clock_does_not_answer_is_waited_for_and_nobody_gets_an_order(fleet: Fleet) -> None:
    """It died between two trials: nobody could tell when it begins, and no trial is spoilt."""
    fleet.workers["b"].silent = True
    failed = fleet.fails()
    assert (failed.kind, str(failed)) == ("absent", "1 of 2 clients are here (a)")
    assert not any(isinstance(message, Order) for message in fleet.workers["a"].heard)


def test_an_incomplete_fleet_is_waited_for_no_longer_than_asked(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """Then it says who is there."""
    fleet.master.expected = 3
    failed = fleet.fails(wait_s=0.1)
    assert (failed.kind, str(failed)) == ("absent", "2 of 3 clients are here (a, b)")
    assert "waiting for 1 of 3 clients, at most 0 s; here: a, b" in caplog.messages


def test_a_link_that_breaks_ends_the_master(fleet: Fleet) -> None:
    """Its run says so; nothing waits for a carrier that is gone."""
    fleet.link.broken = "Locust ended (SIGKILL)"
    with pytest.raises(LinkBroken):
        fleet.load()


def test_strangers_change_nothing_of_an_order(fleet: Fleet) -> None:
    """Whatever they send meanwhile, under whichever address."""
    worker = fleet.workers["b"]

    def disturbed(order: Order) -> None:
        forged = Seal("another token than the one", "worker").wrap(result(order, output="forged").model_dump_json())
        for address in ("stranger", "id-a", "id-b"):
            fleet.link.coming.append(Incoming(address, forged))
            fleet.link.coming.append(Incoming(address, "garbage"))
        worker.do_well(order)

    worker.obey = disturbed
    assert [each["name"] for each in fleet.load()] == ["a", "b"]
    assert all(each["output"].startswith("speedup:summary") for each in fleet.load())


def test_a_result_after_its_order_is_dropped(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """And said to be."""
    worker = fleet.workers["a"]
    fleet.load()
    worker.say(result(fleet.orders()["a"], samples=(HostSample(at_us=1, segments=1),)))
    worker.body("{}")
    worker.say(Pong(number=1, read_us=1))
    for _ in range(4):
        fleet.master.idle()
    assert "dropped a HostResult from a: there is no such order" in caplog.messages
    assert any(line.startswith("dropped a malformed message") for line in caplog.messages)


@pytest.fixture(name="desk")
def open_desk(fleet: Fleet, tmp_path: Path) -> Iterator[Path]:
    """Return the socket of a master that takes orders, until its link breaks."""
    desk = Desk(tmp_path / "master")

    def serve() -> None:
        with desk.listener, suppress(LinkBroken):
            desk.serve(fleet.master)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield tmp_path / "master"
    fleet.link.broken = "the test is over"
    thread.join(5)
    assert not thread.is_alive()


def test_the_desk_is_open_to_its_user_only(desk: Path) -> None:
    """Nobody else on this machine can let a fleet load a host."""
    assert desk.stat().st_mode & 0o077 == 0


def test_orders_at_the_desk_are_answered_by_one_line(desk: Path) -> None:
    """Who is here, and what they counted."""
    gathered = json.loads(ask_module.ask(str(desk), json.dumps({"what": "gather", "wait_s": 0.2})))
    assert gathered["failure"] is None
    assert [(each["name"], each["wrk"], each["cpus"]) for each in gathered["clients"]] == [
        ("a", "4.2.0", "2"),
        ("b", "4.2.0", "2"),
    ]
    loaded = json.loads(ask_module.ask(str(desk), json.dumps(WANTED)))
    assert [each["name"] for each in loaded["clients"]] == ["a", "b"]


def test_a_failed_order_is_an_answer_too(fleet: Fleet, desk: Path) -> None:
    """And the next order is served."""
    fleet.workers["b"].obey = lambda _: None
    answer = json.loads(ask_module.ask(str(desk), json.dumps(WANTED)))
    assert answer["failure"] == {"client": "b", "reason": "was not ready in time", "kind": "broken"}
    assert answer["clients"] == []
    fleet.workers["b"].obey = fleet.workers["b"].do_well
    assert json.loads(ask_module.ask(str(desk), json.dumps(WANTED)))["failure"] is None


def test_an_order_that_no_client_may_get_is_an_answer_too(desk: Path) -> None:
    """The master goes on."""
    answer = json.loads(ask_module.ask(str(desk), json.dumps({**WANTED, "path": "no path"})))
    assert "path" in answer["failure"]["reason"]
    assert json.loads(ask_module.ask(str(desk), json.dumps(WANTED)))["failure"] is None


def test_whoever_hangs_up_stops_the_order(fleet: Fleet, desk: Path) -> None:
    """As a run that was interrupted does."""
    begun = threading.Event()
    fleet.workers["a"].obey = lambda order: fleet.workers["a"].say(Ready(trial=order.trial))

    def begins(order: Order) -> None:
        fleet.workers["b"].say(Ready(trial=order.trial))
        begun.set()

    fleet.workers["b"].obey = begins
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(desk))
        caller.sendall(json.dumps({**WANTED, "duration_s": 60.0}).encode() + b"\n")
        assert begun.wait(5)
    deadline = time.monotonic() + 5
    while fleet.stopped() != {"a", "b"} and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fleet.stopped() == {"a", "b"}


def test_who_calls_and_says_nothing_gets_no_answer(desk: Path) -> None:
    """And the next caller does."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(desk))
    assert json.loads(ask_module.ask(str(desk), json.dumps(WANTED)))["failure"] is None


def test_a_caller_is_here_until_it_hangs_up() -> None:
    """Whether or not it says more meanwhile."""
    ours, theirs = socket.socketpair()
    with ours:
        assert _is_here(ours)
        theirs.send(b"x")
        assert _is_here(ours)
        ours.recv(1)
        theirs.close()
        assert not _is_here(ours)


def test_asking_where_no_master_is_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and prints no answer."""
    monkeypatch.setattr("sys.argv", ["ask", str(tmp_path / "nowhere"), "{}"])
    assert ask_module.main() == 1
    said = capsys.readouterr()
    assert said.err.startswith("the fleet's master does not answer")
    assert said.out == ""
