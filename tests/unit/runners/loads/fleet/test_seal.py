"""Seals: only who holds the token is believed, once, in its own session; anything else is BadSeal and nothing worse."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.loads.fleet.wire.seal import (
    LEAST_TOKEN_CHARACTERS,
    BadSeal,
    Seal,
    make_token,
    nonce,
    read_token,
    session_of,
)

TOKEN = "a token of the tests' own"  # noqa: S105 - nobody's
ANY_TEXT = st.text(st.characters())
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


def sides(session: str = "", token: str = TOKEN) -> tuple[Seal, Seal]:
    """Return the master's and the worker's side of a session."""
    return Seal(token, "master", session), Seal(token, "worker", session)


def changed(text: str, **parts: Any) -> str:
    """Return a sealed text with parts of it changed."""
    return json.dumps({**json.loads(text), **parts})


@given(st.lists(ANY_TEXT, max_size=5), st.sampled_from(["", session_of("a", "b")]))
def test_what_one_side_seals_the_other_opens(bodies: list[str], session: str) -> None:
    """In both directions, in its order."""
    master, worker = sides(session)
    assert [worker.open(master.wrap(body)) for body in bodies] == bodies
    assert [master.open(worker.wrap(body)) for body in bodies] == bodies


@pytest.mark.parametrize(
    "stranger",
    [
        Seal("another token than the one", "worker", "s"),
        Seal(TOKEN, "worker", "an earlier session"),
        Seal(TOKEN, "worker"),
        Seal(TOKEN, "master", "s"),
    ],
    ids=["another token", "another session", "no session", "its own side"],
)
def test_what_anyone_else_seals_is_refused(stranger: Seal) -> None:
    """Also what this side sent itself and somebody sends back."""
    with pytest.raises(BadSeal, match="its seal is wrong"):
        Seal(TOKEN, "master", "s").open(stranger.wrap("body"))


def test_a_message_counts_once() -> None:
    """Neither again, nor after a later one."""
    master, worker = sides()
    first, second = worker.wrap("first"), worker.wrap("second")
    master.open(second)
    for again in (second, first):
        with pytest.raises(BadSeal, match="it repeats message"):
            master.open(again)


def test_a_message_that_got_lost_stops_no_later_one() -> None:
    """Numbers need not be complete."""
    master, worker = sides()
    worker.wrap("lost")
    assert master.open(worker.wrap("arrived")) == "arrived"


@pytest.mark.parametrize("parts", [{"body": "other"}, {"number": 2}, {"number": 0}, {"mac": "0" * 64}], ids=str)
def test_a_changed_message_is_refused_and_the_true_one_still_counts(parts: dict[str, Any]) -> None:
    """A forged number must not use up that of a true message."""
    master, worker = sides()
    text = worker.wrap("body")
    with pytest.raises(BadSeal):
        master.open(changed(text, **parts))
    assert master.open(text) == "body"


@given(ANY_TEXT | ANY_JSON.map(json.dumps))
@example("[" * 100_000)
@example('{"body": ' + "[" * 100_000)
@example('{"body": "", "number": 1e999, "mac": ""}')
@example('{"body": "", "number": NaN, "mac": ""}')
@example('{"body": "", "number": ' + "9" * 5000 + ', "mac": ""}')
@example('{"body": "", "number": 1, "mac": "\\ud800"}')
@example('{"body": "\\ud800", "number": 1, "mac": "é"}')
@example("null")
def test_any_text_that_comes_from_elsewhere_is_a_bad_seal(text: str) -> None:
    """And no other error, which would end the master."""
    with pytest.raises(BadSeal):
        Seal(TOKEN, "master").open(text)


@given(body=ANY_JSON, number=ANY_JSON, mac=ANY_JSON)
def test_any_parts_from_elsewhere_are_a_bad_seal(body: object, number: object, mac: object) -> None:
    """Of any type, under the right names."""
    with pytest.raises(BadSeal):
        Seal(TOKEN, "worker").open(json.dumps({"body": body, "number": number, "mac": mac}))


@given(st.binary())
def test_any_bytes_are_a_bad_seal(data: bytes) -> None:
    """However they were made text."""
    for text in (data.decode("latin-1"), data.decode("utf-8", errors="surrogateescape")):
        with pytest.raises(BadSeal):
            Seal(TOKEN, "master").open(text)


def test_no_nonce_comes_twice() -> None:
    """Nor a short one."""
    made = {nonce() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(each) for each in made} == {32}


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    """A second run keeps it, since the clients have copies."""
    file = tmp_path / "deep/fleet.token"
    assert make_token(file)
    token = read_token(file)
    assert len(token) >= LEAST_TOKEN_CHARACTERS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not make_token(file)
    assert read_token(file) == token


def test_a_token_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(BadInput, match="cannot write a token there"):
        make_token(tmp_path / ("x" * 300))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_token_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    """With the command that mends it."""
    file = tmp_path / "fleet.token"
    file.write_text("x" * 40)
    file.chmod(mode)
    with pytest.raises(BadInput, match=f"chmod 600 {file}"):
        read_token(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "at least 20 characters"),
        (b"x" * (LEAST_TOKEN_CHARACTERS - 1) + b"\n\n\n", "at least 20 characters"),
        (b"\xff" * 40, "cannot read a token there"),
        (None, "cannot read a token there"),
    ],
    ids=["empty", "short", "no text", "missing"],
)
def test_a_file_without_a_good_token_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    """With what makes one."""
    file = tmp_path / "fleet.token"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    with pytest.raises(BadInput, match=said) as refused:
        read_token(file)
    assert "`speedup run`" in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_token_comes_through_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of it; what follows is not the token's."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"  {TOKEN}\nmore\n"))
    assert read_token(Path("-")) == TOKEN
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(BadInput, match="standard input: a token must have at least"):
        read_token(Path("-"))
