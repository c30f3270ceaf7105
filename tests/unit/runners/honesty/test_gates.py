"""The honesty gates: each lets an honest server pass, and names the fault that it is meant for."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.honesty import gates
from runners.honesty.address import examine_url
from runners.honesty.gates import Target
from runners.honesty.gates.__main__ import main, words
from runners.honesty.gates.slow import Tally
from runners.matrix.requests.request import Expect, Request
from runners.records.run import Gate, Honesty
from runners.server.answers import Answer, Broken, parse_answer
from tests.support.fake_http import FakeServer

FAULTS = {
    "answers unasked": "count",
    "answers twice": "count",
    "ends lines with LF": "framing",
    "lies about the length": "framing",
    "says the length twice": "framing",
    "has no date": "headers",
    "has a stale date": "date",
    "has a date that stands": "date",
    "has an odd date": "date",
    "answers before the end": "wait",
    "drops pipelined requests": "pipeline",
    "answers out of order": "pipeline",
    "knows every path": "path",
    "sends a body for HEAD": "head",
    "has no length for HEAD": "head",
    "takes a body for a request": "body",
    "closes without saying": "announce",
    "ignores close": "close",
    "resets at the end": "close",
    "keeps HTTP/1.0 open": "http-1.0",
    "closes always": "keep",
    "leaks descriptors": "leave",
    "takes 1000 connections": "crowd",
    "tears long output": "slow-reader",
    "loses long output": "slow-reader",
    "remembers what is unsent": "slow-reader",
    "answers garbage": "garbage",
    "dies of garbage": "garbage",
    "waits for ever": "garbage",
}
LONELY = {  # faults that no other required gate sees
    "has a stale date", "has an odd date", "answers out of order", "knows every path", "sends a body for HEAD",
    "closes without saying", "keeps HTTP/1.0 open", "leaks descriptors", "takes 1000 connections", "dies of garbage",
}  # fmt: skip
QUICK = tuple(demand for demand in gates.ALL if demand.id != "slow-reader")


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may, as the processes that ask do."""
    with gates.many_files():
        yield


def asked(
    server: FakeServer, *names: str, class_: str = "realistic", keeps: bool = True, pid: int | None = None
) -> dict[str, Gate]:
    """Return what the gates say, by id; only some of them where they are named."""
    demands = tuple(demand for demand in gates.ALL if not names or demand.id in names)
    target = Target("127.0.0.1", server.port, pid=pid or server.pid, keeps=keeps)
    return {each.id: each for each in gates.examine(target, class_, demands)}


def passes(*found: Gate) -> bool:
    """Return whether a server of which the gates say this would be timed."""
    return not Honesty("a", 1, "realistic", found).failed


def test_an_honest_server_passes_every_gate() -> None:
    """Those that are not required among them."""
    with FakeServer() as server:
        found = asked(server)
    assert {gate.id: gate.saw for gate in found.values() if gate.outcome != "pass"} == {}
    assert list(found) == [demand.id for demand in gates.ALL]
    assert all(gate.sent for gate in found.values())


def test_an_honest_server_passes_with_one_request_per_connection() -> None:
    """What only kept connections can show is not asked of it."""
    with FakeServer() as server:
        found = asked(server, keeps=False)
    assert {gate.id for gate in found.values() if gate.outcome == "unknown"} == {"pipeline", "keep", "slow-reader"}
    assert {gate.id: gate.saw for gate in found.values() if gate.outcome == "fail"} == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_by_the_gate_meant_for_it(fault: str) -> None:
    """With what was sent and what came back."""
    with FakeServer(fault) as server:
        found = asked(server, FAULTS[fault])[FAULTS[fault]]
    assert (found.outcome, found.required) == ("fail", True), found.saw
    assert found.saw
    honesty = Honesty("a", 1, "realistic", (found,))
    assert honesty.failed or honesty.broken


@pytest.mark.parametrize("fault", sorted(LONELY))
def test_a_fault_fails_no_gate_that_it_has_nothing_to_do_with(fault: str) -> None:
    """So that a person looks in the right place."""
    with FakeServer(fault) as server:
        found = asked(server, *(demand.id for demand in QUICK)).values()
    assert [gate.id for gate in found if gate.required and gate.outcome == "fail"] == [FAULTS[fault]]


def test_the_faults_try_every_required_gate() -> None:
    """None is a check that cannot fail."""
    untried = {"split", "version", "strict"}  # the first sees what "wait" does; the last is promised by nobody
    assert set(FAULTS.values()) == {demand.id for demand in gates.ALL} - untried


def test_a_stripped_server_need_not_know_paths_methods_or_dates() -> None:
    """It fails those gates, and passes all the same; its pipelined answers are all alike."""
    with FakeServer("knows every path") as server:
        found = asked(server, "path", "pipeline", class_="stripped")
    assert [gate.outcome for gate in found.values()] == ["pass", "fail"]
    assert passes(*found.values())


def test_without_a_process_descriptors_are_unknown() -> None:
    """An address does not tell whose it is."""
    with FakeServer() as server:
        demands = tuple(demand for demand in gates.ALL if demand.id == "leave")
        (found,) = gates.examine(Target("127.0.0.1", server.port), "realistic", demands)
    assert (found.outcome, passes(found)) == ("unknown", True)


def test_where_nobody_listens_every_gate_says_so() -> None:
    """At once, and without a traceback."""
    with FakeServer() as server:
        port = server.port
    demands = tuple(demand for demand in gates.ALL if demand.id in {"count", "crowd"})
    found = gates.examine(Target("127.0.0.1", port), "realistic", demands)
    assert all("does not accept a connection" in gate.saw for gate in found)


def test_what_this_machine_lacks_is_not_the_servers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few descriptors on our side leave a gate unknown."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "create_connection", fail)
    (found,) = gates.examine(Target("127.0.0.1", 1), "realistic", [d for d in gates.ALL if d.id == "crowd"])
    assert found.outcome == "unknown"
    assert "Too many open files" in found.saw


def test_a_process_asks_and_prints_what_the_gates_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The target arrives there as it was, whatever bytes its body holds."""
    seen = []

    def examine(target: Target, class_: str) -> tuple[Gate, ...]:
        seen.append((target, class_))
        return ()

    monkeypatch.setattr("runners.honesty.gates.__main__.examine", examine)
    target = Target(
        "::1", 80, Request("/x", headers=(("A", "b"),), body=b"\xff\x00", expect=Expect(length=(1, 2))), pid=3,
        keeps=False, others=(Request("/y"),),
    )  # fmt: skip
    (tmp_path / "target").write_text(words(target, "stripped"), encoding="utf-8")
    main(tmp_path / "target")
    assert seen == [(target, "stripped")]
    assert capsys.readouterr().out == "[]\n"


def test_a_record_names_what_a_server_had_to_pass_and_did_not() -> None:
    """Honesty keeps it from being timed; what its class promises, from being ranked; the rest is only told."""
    needed = Gate("count", "x", required=True, outcome="fail")
    promised = Gate("date", "x", required=True, outcome="fail", kind="robustness")
    other = Gate("strict", "x", required=False, outcome="fail", kind="robustness")
    found = Honesty("a", 1, "realistic", (needed, promised, other))
    assert (found.failed, found.broken, found.badges) == ((needed,), (promised,), (promised, other))


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
TRAILED = CHUNKED[:-2] + b"X: y\r\n\r\n"


@pytest.mark.parametrize("whole", [ANSWER, CHUNKED, TRAILED])
@given(data=st.data())
def test_an_answer_is_read_only_when_it_is_whole(whole: bytes, data: st.DataObject) -> None:
    """Wherever it is cut, and whatever follows."""
    cut = data.draw(st.integers(0, len(whole) - 1))
    rest = data.draw(st.binary(max_size=20))
    assert parse_answer(whole[:cut]) is None
    parsed = parse_answer(whole + rest)
    assert parsed is not None
    assert (parsed[0].status, parsed[0].body, parsed[1]) == (200, b"hello", rest)


@pytest.mark.parametrize("whole", [ANSWER, CHUNKED, TRAILED])
@given(data=st.data())
def test_answers_are_counted_however_they_arrive(whole: bytes, data: st.DataObject) -> None:
    """The same as if each were parsed, also where they differ."""
    stream = (whole * 3 + ANSWER) * 2
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    heard: list[Answer] = []
    tally = Tally(heard.append)
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        tally.add(stream[first:last])
    assert (tally.count, tally.unread) == (8, b"")
    assert {answer.body for answer in heard} == {b"hello"}


@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_is_an_answer_part_of_one_or_broken(received: bytes, headed: bool) -> None:  # noqa: FBT001
    """The reader never fails in another way."""
    try:
        parsed = parse_answer(b"HTTP/1.1 200 OK\r\n" + received if headed else received)
    except Broken:
        return
    assert parsed is None or parsed[0].status >= 100


@pytest.mark.parametrize(
    ("received", "complaint"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "LF alone"),
        (b"HTTP/2 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header line"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "where it ends"),
        (b"SSH-2.0-OpenSSH\r\n", "does not look like an HTTP/1 answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "size of a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", "both"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "its Content-Length is not a valid number: '1, 1'",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nx", "its Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx", "its Content-Length"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(received: bytes, complaint: str) -> None:
    """By what is wrong with it."""
    with pytest.raises(Broken, match=complaint):
        parse_answer(received)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://[::1",
        "https://127.0.0.1/",
        "http://",
        "http:///path",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\u00e9",
        "http://" + "a" * 70 + "/",
        "http://192.0.2.1/",
    ],
)
def test_an_address_that_cannot_be_asked_is_bad_input(url: str) -> None:
    """With a message that names it, and no traceback."""
    with pytest.raises(BadInput, match="http"):
        examine_url(url, "realistic", "Hello World")


def test_the_host_header_of_an_ipv6_address_has_brackets() -> None:
    """As its URL has."""
    assert b"\r\nHost: [::1]:80\r\n" in Target("::1", 80).request()
