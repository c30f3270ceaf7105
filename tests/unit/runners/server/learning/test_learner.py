"""Servers of all shapes are started, asked and ended; what is learned is what their matrix needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.matrix.model import MODES
from runners.matrix.starter.learned import Launch, Learned
from runners.server.address import read_address
from runners.server.learning.command import read_command
from runners.server.learning.learner import Wanted, learn_address, learn_command
from runners.system.processes import leftovers
from tests.support import shapes
from tests.support.fake_http import FakeServer
from tests.support.shelf import free_port

FROM_ENVIRONMENT = {"PORT": "{port}", "HOST": "{host}"}


def learned(folder: Path, shape: str, *port: str, wanted: Wanted | None = None) -> tuple[Launch, Learned]:
    """Return what is learned about a shape."""
    command = read_command(shapes.command(shape, *port), "--run")
    return learn_command(command, folder, wanted or Wanted(timeout_s=20))


def test_a_port_from_the_environment_is_found_by_trying(tmp_path: Path) -> None:
    """Neither the user nor the command says so; nothing is left running."""
    launch, found = learned(tmp_path, "plain")
    assert (launch.env, launch.port) == (FROM_ENVIRONMENT, None)
    assert (found.status, found.content_type, found.modes) == (200, "application/json", MODES)
    assert found.expect.body == '{"message": "Hello"}'
    assert leftovers() == []


def test_a_command_that_takes_its_port_is_told_one(tmp_path: Path) -> None:
    """PORT is left alone."""
    launch, _ = learned(tmp_path, "plain", "{port}")
    assert (launch.env, launch.port) == ({}, None)


def test_a_fixed_port_is_found_by_looking(tmp_path: Path) -> None:
    """The server ignores PORT; links to itself on that port never change."""
    port = free_port()
    launch, found = learned(tmp_path, "links", str(port))
    assert (launch.env, launch.port) == ({}, port)
    assert str(port) in str(found.expect.body)


def test_of_several_fixed_ports_that_of_the_first_process_is_asked(tmp_path: Path) -> None:
    """Not that of the backend behind it, which answers as well."""
    port = free_port()
    launch, _ = learned(tmp_path, "proxy", str(port))
    assert launch.port == port


def test_a_body_with_the_server_s_own_address_is_another_one_on_each_port(tmp_path: Path) -> None:
    """It would else be wrong in every trial."""
    _, found = learned(tmp_path, "links")
    assert json.loads(str(found.expect.json)) == {"message": "Hello"}


def test_what_changes_from_answer_to_answer_is_not_expected(tmp_path: Path) -> None:
    """Such as the time."""
    _, found = learned(tmp_path, "timestamp")
    assert json.loads(str(found.expect.json)) == {"message": "Hello", "user": {"id": 7}}


@pytest.mark.parametrize(
    ("shape", "modes", "connections"),
    [
        ("http-1.0", ("non-persistent",), 64),
        ("ignores-close", ("persistent",), 64),
        ("pool", MODES, 16),
        ("stdin", MODES, 64),
        ("recycling", MODES, 64),
    ],
)
def test_a_server_is_measured_in_the_modes_that_it_has_with_as_many_connections_as_it_answers(
    tmp_path: Path, shape: str, modes: tuple[str, ...], connections: int
) -> None:
    """A pool of 20 threads leaves the 21st connection waiting."""
    _, found = learned(tmp_path, shape)
    assert (found.modes, found.connections) == (modes, connections)


def test_a_server_with_a_short_accept_queue_gets_no_more_connections_than_it_holds(tmp_path: Path) -> None:
    """Load generators open all of theirs at once, and what does not fit is dropped: Python's own servers hold five."""
    _, found = learned(tmp_path, "short-queue")
    assert (found.connections, found.accept_queue) == (4, 5)
    assert found.why_no_more == "its accept queue holds 5: more could be dropped"


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ("ends", "it ended with exit status 1 before it answered; its last output: no configuration"),
        ("background", "it went into the background, where it cannot be watched; keep it in the foreground"),
        ("six-only", "it listens on [::1]:"),
    ],
)
def test_a_server_that_cannot_be_measured_says_why(tmp_path: Path, shape: str, complaint: str) -> None:
    """With its last words; nothing is left running, not even a daemon."""
    with pytest.raises(BadInput, match=re.escape(complaint)):
        learned(tmp_path, shape)
    assert leftovers() == []


def test_a_server_that_never_listens_is_waited_for_as_long_as_asked(tmp_path: Path) -> None:
    """Then its last words are shown."""
    complaint = "it listens on no port within 0.5 s; its last output: thinking; if it needs longer: --timeout 5m"
    with pytest.raises(BadInput, match=re.escape(complaint)):
        learned(tmp_path, "silent", wanted=Wanted(timeout_s=0.5))


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the folder in which it was looked for."""
    with pytest.raises(BadInput, match=f"cannot start ./nope in {tmp_path}: No such file"):
        learn_command(Launch(("./nope",)), tmp_path, Wanted())


def test_an_error_status_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    """A missing page is rarely what somebody wants to measure."""
    with pytest.raises(BadInput, match=r"GET /x answers status 404: .* or expect this one with --status 404"):
        learned(tmp_path, "plain", wanted=Wanted("/x"))
    _, found = learned(tmp_path, "plain", wanted=Wanted("/x", status=404))
    assert found.expect.status == 404
    with pytest.raises(BadInput, match=r"GET / answers status 200, not 404"):
        learned(tmp_path, "plain", wanted=Wanted(status=404))


def test_a_body_that_was_demanded_is_compared(tmp_path: Path) -> None:
    """At once, not in the first trial."""
    with pytest.raises(BadInput, match=r"answers the body .*, not 'Hi'; leave out --body"):
        learned(tmp_path, "plain", wanted=Wanted(body="Hi"))


def test_a_running_server_is_asked_at_its_address() -> None:
    """Nothing is started."""
    with FakeServer() as fake:
        found = learn_address(read_address(f"http://localhost:{fake.port}/"), Wanted())
    assert (found.path, found.expect.body, found.modes) == ("/", "Hello World", MODES)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("https://127.0.0.1/", "not an address that can be asked"),
        ("http://127.0.0.1:99999/", "Port out of range"),
        ("http://192.0.2.1/", "is not on this machine; if that server is yours, add --allow-remote"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str, complaint: str) -> None:
    """Other people's servers are left alone."""
    with pytest.raises(BadInput, match=complaint):
        read_address(url)


def test_the_query_belongs_to_the_path() -> None:
    """It is asked as well."""
    assert read_address("http://192.0.2.1/x?y=1", remote=True).path == "/x?y=1"
