"""Who is let into a fleet, who is refused and by which name, and that no stranger changes a member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads.fleet.master import members as members_module
from runners.loads.fleet.master.members import CLOCK_MOST_US, Members, unfit
from runners.loads.fleet.wire.clock import now_us
from runners.loads.fleet.wire.link import Incoming
from runners.loads.fleet.wire.messages import PROTOCOL, Malformed, Ping, Pong, Ready, Refusal, Welcome
from runners.loads.fleet.wire.seal import Seal
from tests.support.fleet_fakes import TOKEN, TRIAL, FakeLink, FakeWorker, facts
from tests.unit.runners.loads.fleet.test_seal import ANY_TEXT


class Door:
    """A register, and the link it hears."""

    def __init__(self) -> None:
        self.link = FakeLink()
        self.members = Members(TOKEN, self.link)
        self.workers: dict[str, FakeWorker] = {}
        self.link.hear = self._heard

    def _heard(self, text: str, to: str | None) -> None:
        if to in self.workers:
            self.workers[to].heard_text(text)

    def worker(self, name: str, address: str | None = None, token: str = TOKEN) -> FakeWorker:
        """Return a worker that the link reaches."""
        made = FakeWorker(self.link, name, address, token)
        self.workers[made.address] = made
        return made

    def hear(self) -> list[Any]:
        """Hear all that has come; return what members said."""
        heard = []
        while self.link.coming:
            incoming = self.link.coming.popleft()
            heard.append(self.members.hear(incoming.sender, incoming.text))
        return [each for each in heard if each is not None]

    def join(self, name: str, address: str | None = None, **changes: Any) -> FakeWorker:
        """Return a worker that asked to be let in."""
        worker = self.worker(name, address)
        worker.send(worker.hello(**changes))
        self.hear()
        return worker

    @property
    def names(self) -> list[str]:
        """Return who is here."""
        return [member.name for member in self.members.alive()]


@pytest.fixture(name="door")
def open_door() -> Iterator[Door]:
    """Return a register without members."""
    made = Door()
    yield made
    made.link.close()


def reason(worker: FakeWorker) -> str:
    """Return why a worker was refused."""
    (refusal,) = worker.heard
    assert isinstance(refusal, Refusal)
    return refusal.reason


def test_a_worker_with_the_token_is_let_in(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """And the others are told by name, in its order."""
    worker = door.join("b")
    door.join("a")
    assert isinstance(worker.heard[0], Welcome)
    assert door.names == ["a", "b"]
    assert caplog.messages[0] == "b joined: 2 CPUs, Invented CPU"


def test_a_member_is_heard_in_its_session(door: Door) -> None:
    """With its name beside what it says."""
    worker = door.join("a")
    worker.say(Ready(trial=TRIAL))
    ((member, message),) = door.hear()
    assert (member.name, message) == ("a", Ready(trial=TRIAL))


def test_a_worker_without_the_token_is_refused_and_named(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """By its address, since its name is not proven; once, however often it asks."""
    stranger = door.worker("a", "stranger-1", token="another token than ours")  # noqa: S106 - nobody's
    for _ in range(3):
        stranger.send(stranger.hello())
    assert door.hear() == []
    assert door.names == []
    assert caplog.messages == ["rejected 'stranger-1': its seal is wrong: another token, or another session"]
    assert stranger.heard == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "9.9.9"}, "it has http-speedup 9.9.9, the master"),
        ({"protocol": PROTOCOL + 1}, "it has http-speedup"),
        ({"tools": {"wrk": "4.1.0", "locust": "2.40"}}, "its wrk is 4.1.0, the others have 4.2.0"),
        ({"tools": {"locust": "2.40"}}, "its wrk is missing, the others have 4.2.0"),
    ],
    ids=["version", "protocol", "another wrk", "no wrk"],
)
def test_a_worker_that_does_not_fit_is_told_why(
    changes: dict[str, Any], said: str, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """So that a person can mend it; and the log says the same."""
    door.join("a")
    other = door.join("b", **changes)
    assert said in reason(other)
    assert any(line.startswith("rejected b: ") and said in line for line in caplog.messages)
    assert door.names == ["a"]


@pytest.mark.parametrize(
    ("has", "said"), [({}, "its locustfile is missing"), ({"locustfile": "b" * 64}, "is not the matrix's")]
)
def test_a_worker_without_the_matrix_s_own_users_is_told_what_to_do(has: dict[str, str], said: str, door: Door) -> None:
    """They are Python that runs there: nobody sends it."""
    tools = facts().tools
    door.members.tools = {"locustfile": "a" * 64}
    other = door.join("b", tools={**tools, **has})
    assert said in reason(other)
    assert "start the worker with --locustfile FILE" in reason(other)
    door.join("a", tools={**tools, "locustfile": "a" * 64})
    assert door.names == ["a"]


@pytest.mark.parametrize(("seconds", "said"), [(5, "+5.0 s off"), (-5, "-5.0 s off")])
def test_a_worker_whose_clock_is_off_is_refused(seconds: int, said: str, door: Door) -> None:
    """It would date its records wrongly."""
    other = door.join("b", wall_us=facts().wall_us + seconds * 1_000_000)
    assert f"its clock is {said} the master's; set it (NTP)" in reason(other)
    assert door.names == []


def test_a_clock_may_be_as_far_off_as_the_limit() -> None:
    """And no microsecond more, either way."""
    host = facts(wall_us=10**15)
    for sign in (-1, 1):
        assert unfit(host, {}, 10**15 + sign * CLOCK_MOST_US) is None
        assert unfit(host, {}, 10**15 + sign * (CLOCK_MOST_US + 1)) is not None


def test_a_second_worker_of_the_same_name_is_refused_while_the_first_lives(door: Door) -> None:
    """And the first stays."""
    door.join("a", "first")
    other = door.join("a", "second")
    assert "a client named a is here already; give another --name" in reason(other)
    assert list(door.members.by_address) == ["first"]


def test_a_worker_that_comes_back_takes_its_place(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the old one has been silent for long enough; at the same address or another."""
    old = door.join("a", "first")
    monkeypatch.setattr(members_module, "SILENCE_S", 0.0)
    door.join("a", "second")
    monkeypatch.undo()
    assert list(door.members.by_address) == ["second"]
    old.say(Ready(trial=TRIAL))
    assert door.hear() == []


def test_a_hello_that_somebody_repeats_gives_him_nothing(door: Door) -> None:
    """Neither while its worker is here, nor at its address, nor a voice once it has gone."""
    worker = door.worker("a", "first")
    hello = worker.hello()
    worker.send(hello)
    door.hear()
    before = door.members.by_address["first"]
    for address in ("stranger", "first"):
        door.link.coming.append(Incoming(address, hello))
    assert door.hear() == []
    assert door.members.by_address == {"first": before}
    worker.say(Ready(trial=TRIAL))
    assert [message for _, message in door.hear()] == [Ready(trial=TRIAL)]


def test_who_repeats_the_hello_of_a_worker_that_has_gone_cannot_speak_for_it(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He does not know the token that the session is sealed with."""
    worker = door.worker("a", "first")
    hello = worker.hello()
    worker.send(hello)
    door.hear()
    worker.say(Ready(trial=TRIAL))
    recorded = door.link.coming.popleft().text
    monkeypatch.setattr(members_module, "SILENCE_S", 0.0)
    for text in (hello, recorded):
        door.link.coming.append(Incoming("stranger", text))
    assert door.hear() == []


@given(texts=st.lists(ANY_TEXT, max_size=5), address=st.sampled_from(["first", "stranger"]))
def test_a_stranger_never_changes_a_member(texts: list[str], address: str) -> None:
    """Nor does he keep it alive, whether or not he takes its address."""
    door = Door()
    worker = door.join("a", "first")
    member = door.members.by_address["first"]
    state = (member.heard_at, dict(member.asked_us), list(member.exchanges), member.facts)
    for text in texts:
        door.link.coming.append(Incoming(address, text))
    assert door.hear() == []
    assert door.members.by_address == {"first": member}
    assert state == (member.heard_at, dict(member.asked_us), list(member.exchanges), member.facts)
    worker.say(Ready(trial=TRIAL))
    assert len(door.hear()) == 1
    door.link.close()


def test_what_a_stranger_sends_does_not_fill_the_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by many messages nor by long addresses."""
    for number in range(3000):
        door.link.coming.append(Incoming(f"{number}" + "x" * 1000, "garbage"))
    door.hear()
    assert len(caplog.messages) <= 1000
    assert max(map(len, caplog.messages)) < 300


def test_what_is_said_of_dropped_messages_is_bounded(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """However often somebody repeats a hello: the number is said instead."""
    worker = door.worker("a")
    hello = worker.hello()
    for _ in range(1001):
        worker.send(hello)
    door.hear()
    assert len(caplog.messages) <= 102
    assert "dropped 1,000 messages so far" in caplog.messages


def test_what_is_longer_than_a_hello_is_dropped_unopened(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Looking at it would cost the master time beside the server."""
    monkeypatch.setattr(Seal, "open", lambda *_: pytest.fail("looked at it"))
    door.link.coming.append(Incoming("stranger", "x" * (members_module.HELLO_CHARACTERS + 1)))
    assert door.hear() == []
    assert caplog.messages == ["rejected 'stranger': it did not join, and its message is too long"]


def test_a_hello_that_is_repeated_at_once_brings_nobody_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the second in which its clock still fits, a dead worker must not seem alive."""
    worker = door.worker("a", "first")
    hello = worker.hello()
    worker.send(hello)
    door.hear()
    monkeypatch.setattr(members_module, "SILENCE_S", 0.0)
    door.link.coming.append(Incoming("stranger", hello))
    assert door.hear() == []
    monkeypatch.undo()
    assert list(door.members.by_address) == ["first"]
    assert door.link.trusted == ["first"]


def test_only_a_member_may_send_much(door: Door) -> None:
    """The carrier is told of it before its first long text can come."""
    stranger = door.worker("b", "stranger", token="another token than ours")  # noqa: S106 - nobody's
    stranger.send(stranger.hello())
    door.join("a", "first")
    assert door.link.trusted == ["first"]


def test_a_member_that_speaks_outside_the_schema_is_malformed(door: Door) -> None:
    """Its master decides what follows."""
    worker = door.join("a")
    worker.body('{"kind": "odd"}')
    with pytest.raises(Malformed):
        door.hear()


def test_pings_measure_a_member_s_clock(door: Door) -> None:
    """Within what the exchange says."""
    worker = door.join("a")
    worker.ahead_us = 5_000_000
    member = door.members.by_address["id-a"]
    for _ in range(3):
        door.members.ask_clocks([member])
        door.hear()
    assert len(member.exchanges) == 3
    assert abs(member.offset.offset_us - 5_000_000) <= member.offset.uncertainty_us
    assert not member.asked_us


def test_an_answer_to_no_question_measures_nothing(door: Door) -> None:
    """Nor does a second answer to one."""
    worker = door.join("a")
    member = door.members.by_address["id-a"]
    worker.silent = True
    door.members.ask_clocks([member])
    for number in (1, 1, 7, 0):
        worker.say(Pong(number=number, read_us=now_us()))
    assert door.hear() == []
    assert len(member.exchanges) == 1


def test_members_are_pinged_once_a_second(door: Door) -> None:
    """However often the master looks."""
    worker = door.join("a")
    for _ in range(10):
        door.members.ping()
    assert sum(isinstance(message, Ping) for message in worker.heard) == 1


def test_a_silent_member_is_gone(door: Door) -> None:
    """Until it is heard again."""
    worker = door.join("a")
    member = door.members.by_address["id-a"]
    member.heard_at -= members_module.SILENCE_S
    assert door.names == []
    worker.say(Ready(trial=TRIAL))
    door.hear()
    assert door.names == ["a"]
