"""Files of other programs, mutated, huge and nested: measurements, or one message that says why there are none."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.foreign.importing import Imported, Told, run_of, trials_of
from runners.foreign.reading import FORMATS, foreign, samples_in
from runners.records.folder import to_line
from tests.support.foreign_files import FILES
from tests.support.mutation import fuzzed, mutations, without_hang

CONTENTS = tuple(content for _, content in FILES.values())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
PARSED = {name: json.loads(content) for name, (_, content) in FILES.items() if name.endswith(".json")}


def imported(content: bytes, wanted: str | None = None) -> None:
    """Import a file's content as far as that goes."""
    with without_hang(), suppress(BadInput):
        file = foreign("file", content)
        found = [Imported(file, *samples_in(file, wanted))]
        assert run_of(found, Told()).kind == "imported"
        for trial in trials_of(found, Told()):
            assert json.loads(to_line(trial))["server"] == trial.server
            numbers = (trial.requests, trial.duration_us, trial.requests_per_s, trial.bytes_read)
            assert all(number is None or 0 <= number < 2**70 for number in (*numbers, *trial.latency_us.values()))


@fuzzed
@given(mutations(CONTENTS))
@example(b'{"rawData": ' * 5000)
@example(b"[" * 1_000_000)
@example(b"Running 1s test @ x\n" + b"  50%   1ms\n" * 100_000)
@example(b"Running 1s test @ x\n  1 threads and " + b"9" * 100_000 + b" connections\nRequests/sec: 1\n")
@example(b"Bombarding x using " + b"9" * 5000 + b" connections\n  Reqs/sec 1e999\n")
@example(b"http_reqs" + b"." * 100_000 + b": 1 1/s\n")
@example(b"http_reqs: 1 1/s\nhttp_req_duration: " + b"avg=" * 100_000)
@example(b"finished in 1s, nan req/s\nstatus codes:\nrequests: 1 total, 1 started, 1 done, 0 errored, 0 timeout")
@example(b"wrk " + b"'" * 3000 + b"\nRunning 1s test @ x\nRequests/sec: 1\n")
@example(b" " * 1_000_000 + b"Latency distribution: Requests/sec:")
def test_any_content_is_measurements_or_one_message(content: bytes) -> None:
    """Nothing else, and soon."""
    imported(content)


@fuzzed
@given(mutations(CONTENTS), st.sampled_from(sorted(FORMATS)))
def test_any_content_under_any_name_of_a_format(content: bytes, wanted: str) -> None:
    """The user may be wrong."""
    imported(content, wanted)


@pytest.mark.parametrize("name", PARSED)
@fuzzed
@given(st.data())
def test_any_value_in_the_place_of_another_is_unknown_or_one_message(name: str, data: st.DataObject) -> None:
    """Of any type and depth, anywhere in a file of JSON."""
    imported(json.dumps(replaced(PARSED[name], data)).encode())


def replaced(value: object, data: st.DataObject) -> object:
    """Return JSON with one value in it replaced by another."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 3)) == 0:
        return data.draw(VALUES)
    if isinstance(value, dict):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: replaced(value[key], data)}
    place = data.draw(st.integers(0, len(value) - 1))
    return [*value[:place], replaced(value[place], data), *value[place + 1 :]]
