"""The checker: it reads answers whole, on its own connections, at the rate that it is told."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from runners.loads.checker import RESULT, Checker, Order, main, order_from, result_in
from runners.matrix.requests.request import Expect, Request
from runners.records.trial import Checked
from tests.support.fake_http import FakeServer

HELLO = Request(expect=Expect(body="Hello World"))
OTHER = Request(expect=Expect(body="Something else"))


def check(server: FakeServer, *requests: Request, closes: bool = False, for_s: float = 0.4) -> Checked:
    """Check a server's answers for a moment."""
    checker = Checker(Order("127.0.0.1", server.port, requests, 100.0, closes))
    threading.Timer(for_s, checker.stop).start()
    return checker.run()


@pytest.mark.parametrize("closes", [True, False])
def test_right_answers_are_counted(closes: bool) -> None:  # noqa: FBT001
    """On one connection for many, or on one for each."""
    with FakeServer() as server:
        found = check(server, HELLO, closes=closes)
    assert found.answers > 0
    assert (found.wrong, found.how) == (0, "")


def test_it_asks_no_faster_than_it_is_told() -> None:
    """So that the load is still the generator's."""
    with FakeServer() as server:
        assert check(server, HELLO).answers <= 100 * 0.4 + 1


def test_wrong_answers_are_counted_and_the_first_is_told() -> None:
    """Each request of a mix by its own expectation."""
    with FakeServer() as server:
        found = check(server, HELLO, OTHER)
    assert found.answers > 1
    assert abs(found.wrong - found.answers / 2) <= 1
    assert found.how == "answers the body 'Hello World', not 'Something else'"


def test_a_server_that_is_not_there_gives_wrong_answers() -> None:
    """Refused connections are no right answers."""
    with FakeServer() as server:
        pass
    found = check(server, HELLO)
    assert found.wrong == found.answers > 0
    assert found.how == "breaks off: Connection refused"


def test_an_order_passes_through_its_file_unchanged() -> None:
    """With bodies and expectations."""
    order = Order(
        "::1", 80, (HELLO, Request("/x", "n", "POST", (("A", "b"),), b"\xff", Expect(json="{}"))), 2.5, closes=True
    )
    assert order_from(order.text) == order


def test_without_a_result_nothing_was_checked() -> None:
    """A checker that died told nothing, which is not the same as all being right."""
    assert result_in("Traceback ...") == Checked(0, 0, "the checker gave no result")
    assert result_in(f'warning\n{RESULT}{{"answers": 3, "wrong": 1, "how": "x"}}\n') == Checked(3, 1, "x")


def test_the_program_prints_what_it_found_once_it_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By SIGTERM, when the load is over."""
    handlers: dict[int, Any] = {}

    def terminate() -> None:
        handlers[signal.SIGTERM]()

    monkeypatch.setattr("signal.signal", lambda number, handler: handlers.update({number: handler}))
    with FakeServer() as server:
        (tmp_path / "order").write_text(Order("127.0.0.1", server.port, (HELLO,), 100.0, closes=False).text)
        threading.Timer(0.3, terminate).start()
        main(tmp_path / "order")
    assert result_in(capsys.readouterr().out).answers > 0
