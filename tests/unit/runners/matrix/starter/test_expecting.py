"""What all right answers have in common, and how it is written down."""

from __future__ import annotations

import hashlib
import json

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from runners.matrix.requests.request import Expect
from runners.matrix.starter.expecting import expectation, in_words
from runners.matrix.starter.toml import toml_value

JSON = st.recursive(
    st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_short_text_that_never_changes_is_expected_exactly() -> None:
    """It can be read in the matrix."""
    assert expectation(200, [b"Hello\n", b"Hello\n"]) == Expect(200, body="Hello\n")


@pytest.mark.parametrize("body", [b"\x00\xff", b"a" * 301, b"bell \x07"], ids=["binary", "long", "unprintable"])
def test_what_nobody_would_read_is_expected_by_its_hash(body: bytes) -> None:
    """A matrix is for people."""
    assert expectation(200, [body, body]) == Expect(200, sha256=hashlib.sha256(body).hexdigest())


def test_of_json_that_changes_the_keys_that_stay_are_expected() -> None:
    """Also those of objects inside."""
    bodies = [b'{"a": 1, "now": 1, "user": {"id": 7, "seen": 1}}', b'{"now": 2, "a": 1, "user": {"id": 7, "seen": 2}}']
    expect = expectation(200, bodies)
    assert json.loads(str(expect.json)) == {"a": 1, "user": {"id": 7}}
    assert in_words(expect) == "a JSON object with the same a, user"


def test_json_of_which_nothing_stays_must_still_be_an_object() -> None:
    """An error page is none."""
    expect = expectation(200, [b'{"now": 1}', b'{"now": 2}'])
    assert expect.fault(200, b'{"now": 3}') is None
    assert expect.fault(200, b"oops") is not None


def test_what_toml_cannot_hold_is_left_out() -> None:
    """Null, infinity, and lists with them; and what is too long to read."""
    tail = b'"b": null, "c": Infinity, "d": [null], "e": "%s", "f": 1}' % (b"x" * 201)
    assert json.loads(str(expectation(200, [b'{"n": 1, ' + tail, b'{"n": 2, ' + tail]).json)) == {"f": 1}


def test_true_is_not_one() -> None:
    """As JSON has it, though not Python."""
    assert json.loads(str(expectation(200, [b'{"a": true, "b": 2}', b'{"a": 1, "b": 2}']).json)) == {"b": 2}


def test_of_other_bodies_that_change_the_length_is_expected_with_room_on_both_sides() -> None:
    """A list in JSON is no object."""
    assert expectation(200, [b"[1, 2, 3, 4]", b"[1, 2, 3, 44]"]) == Expect(200, length=(1, 29))
    assert expectation(200, [b"x" * 1000, b"y" * 990]) == Expect(200, length=(890, 1100))


def test_bodies_of_very_different_lengths_have_none_to_expect() -> None:
    """Then only the status tells right from wrong."""
    assert expectation(200, [b"x", b"y" * 1000]) == Expect(200)
    assert expectation(404, [b"", b"y"]) == Expect(404)


@given(bodies=st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_every_answer_that_was_seen_is_right(bodies: list[bytes]) -> None:
    """Whatever it is."""
    expect = expectation(200, bodies)
    assert [expect.fault(200, body) for body in bodies] == [None] * len(bodies)


@given(documents=st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=3))
def test_every_json_that_was_seen_is_right(documents: list[dict[str, object]]) -> None:
    """The expectation is never tighter than what was seen."""
    bodies = [json.dumps(document).encode() for document in documents]
    expect = expectation(200, bodies)
    assert [expect.fault(200, body) for body in bodies] == [None] * len(bodies)


@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_values_are_written_as_toml_reads_them(value: dict[str, object]) -> None:
    """Odd keys, control characters, empty tables and lists in lists."""
    assert tomli.loads(f"value = {toml_value(value)}")["value"] == value
