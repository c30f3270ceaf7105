"""What a file is, and what is said of one that is nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.foreign import reading
from runners.foreign.reading import FORMATS, foreign, read_foreign, samples_in
from runners.foreign.sample import name, number, size_bytes, time_us
from speedup.read.import_ import FORMATS as OFFERED
from tests.support.foreign_files import FILES, WRK


@pytest.mark.parametrize(("file", "kind", "content"), [(name, *of) for name, of in FILES.items()], ids=list(FILES))
def test_a_format_is_recognized_by_its_content(file: str, kind: str, content: bytes) -> None:
    """Whatever the file's name; and by nothing else, so that the order of trying does not matter."""
    assert samples_in(foreign("x", content))[0] == kind
    assert [key for key, each in FORMATS.items() if each.recognizes(foreign(file, content))] == [kind]


def test_every_format_has_a_file_and_is_offered() -> None:
    """The command line does not import the readers only to list them."""
    assert {kind for kind, _ in FILES.values()} == set(FORMATS) == set(OFFERED)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"{}", b"[]", b"null", b'{"rawData": 7}', b'{"rps": 1}', b"\xff\xfe\x00", b"[" * 100_000],
)
def test_a_file_that_is_none_is_one_message(content: bytes) -> None:
    """With what it could have been."""
    with pytest.raises(BadInput, match=r"file\.txt is not any of TechEmpower's .* or wrk2's output"):
        samples_in(foreign("file.txt", content))


def test_a_format_that_the_user_names_is_not_guessed() -> None:
    """Another one is not tried."""
    with pytest.raises(BadInput, match=r"wrk\.txt is not hey's output"):
        samples_in(foreign("wrk.txt", WRK.encode()), "hey")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WRK.partition("Requests/sec")[0].encode(), "it was stopped, or its output is cut off"),
        (b'{"rawData": {"json": {"a": [{}]}}}', "there is no measurement in TechEmpower's results.json"),
    ],
)
def test_a_file_without_a_number_says_so(content: bytes, message: str) -> None:
    """Rather than import nothing."""
    with pytest.raises(BadInput, match=message):
        samples_in(foreign("file", content))


def test_a_file_with_too_many_measurements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they fill the memory."""
    monkeypatch.setattr(reading, "MOST_SAMPLES", 3)
    with pytest.raises(BadInput, match="more than 3 measurements"):
        samples_in(foreign("results.json", FILES["results.json"][1]))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is read whole."""
    monkeypatch.setattr(reading, "MOST_BYTES", 100)
    file = tmp_path / "wrk.txt"
    file.write_text(WRK, encoding="utf-8")
    with pytest.raises(BadInput, match="has more than 100 B"):
        read_foreign(file)


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A pipe would never end."""
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="cannot read"):
            read_foreign(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [("71.33us", 71.33), ("1m3.5s", 63_500_000.0), ("0.0042 secs", 4200.0), ("2.00h", 7200e6), ("9 µs", 9.0)],
)
def test_times_are_microseconds(text: str, value: float) -> None:
    """In all the ways in which programs print them."""
    assert time_us(text) == pytest.approx(value)


@pytest.mark.parametrize("value", ["", "fast", "12", "-3ms", "1ms and more", "9" * 400 + "s", None, 7])
def test_what_is_no_time_is_unknown(value: object) -> None:
    """Never 0."""
    assert time_us(value) is None


def test_sizes_are_binary() -> None:
    """As wrk counts them, whatever it calls them."""
    assert [size_bytes(text) for text in ("1.50KB", "2MB", "1GiB", "7B", "7", "x")] == [
        1536,
        2**21,
        2**30,
        7,
        None,
        None,
    ]


@pytest.mark.parametrize("value", [True, "7", None, [], -1, float("nan"), float("inf"), 10**400, 2.0**63])
def test_what_cannot_be_measured_is_unknown(value: object) -> None:
    """A number in JSON may be anything."""
    assert number(value) is None


def test_names_are_short_and_harmless() -> None:
    """They are shown on terminals and pages."""
    assert name("a\x1b[31m\nb" + "c" * 1000) == "a\ufffd[31m b" + "c" * 112
    assert name(7) is None
    assert name(" \n") is None


def test_a_number_that_json_allows_and_floats_do_not_is_unknown() -> None:
    """Of thousands of digits."""
    data = {"framework": "a", "rps": 10**400, "status_2xx": 1}
    (found,) = samples_in(foreign("x", json.dumps(data).encode()))[1]
    assert found.requests_per_s is None
