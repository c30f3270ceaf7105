"""Run folders of others, mutated: read and reported, or refused in a sentence."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from reports.forms.redaction import Secrets, redacted
from reports.forms.writing import read_all, render_as
from runners.errors import BadInput
from runners.records.folder import read_folder
from tests.support.example_run import write_example
from tests.support.mutation import fuzzed, mutations, without_hang

with tempfile.TemporaryDirectory() as made:
    FOLDER = write_example(Path(made), 2, threads=(1,))
    RUN = (FOLDER / "run.json").read_bytes()
    TRIALS = (FOLDER / "trials.jsonl").read_bytes()
FEW = b"".join(TRIALS.splitlines(keepends=True)[:3])
REPORT_CPU_S = 10.0  # the first report imports much
FOREIGN: list[Any] = [
    None, 0, -1, 1, 2**70, 1e300, -1e300, float("nan"), float("inf"), 1e-320, "", "x" * 300, "\x1b[2J", "../x", [], {},
    True, [[]], "0", "ok", 10**400,
]  # fmt: skip
VALUES = st.sampled_from(FOREIGN)


@fuzzed
@given(mutations((RUN,)), mutations((FEW,)))
def test_any_run_folder_is_read_or_refused(run: bytes, trials: bytes) -> None:
    """Bytes changed anywhere."""
    _reported(run, trials, "txt")


@fuzzed
@given(st.data(), st.sampled_from(["md", "txt"]))
def test_any_values_in_a_run_folder_are_reported_or_refused(data: st.DataObject, form: str) -> None:
    """Right JSON with wrong values, of which a schema lets some through."""
    run, trials = json.loads(RUN), [json.loads(line) for line in FEW.splitlines()]
    for _ in range(data.draw(st.integers(1, 4))):
        _spoil(data.draw(st.sampled_from([run, *trials])), data)
    lines = "".join(json.dumps(trial) + "\n" for trial in trials)
    _reported(json.dumps(run).encode(), lines.encode(), form)


def _spoil(record: Any, data: st.DataObject) -> None:
    """Replace one value somewhere in a record."""
    here: Any = record
    while True:
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        below = here[key]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            here[key] = data.draw(VALUES)
            return
        here = below


def _reported(run: bytes, trials: bytes, form: str) -> None:
    with tempfile.TemporaryDirectory() as name, suppress(BadInput):
        folder = Path(name)
        (folder / "run.json").write_bytes(run)
        (folder / "trials.jsonl").write_bytes(trials)
        with without_hang(), suppress(BadInput):
            read_folder(folder)
        with without_hang(REPORT_CPU_S), patch("socket.gethostname", lambda: "h"):
            folders = read_all([folder])
            text = render_as(folders, form)
            with redacted(folders, Secrets(frozenset({"h"}))) as copies:
                render_as(copies, form)
        assert "\x1b" not in text
