"""Command lines of any words: help, a sentence or an answer; and nothing is started by what only reads."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speedup.entry import main
from speedup.parser import COMMANDS, build_parser
from tests.support.example_run import write_example
from tests.support.mutation import fuzzed, without_hang

READERS = sorted({"report", "schema", "completion", "export", "history", "verify"} & COMMANDS.keys())
OPTIONS = (
    "--help -h --version --debug --only --skip --group --matrix --format --output --index --redact --json --resume"
    " --budget --seed --blocks --expect-workers --bind --workers-wait --run --server --expect --status --master"
    " --token-file --name -- - --= = * ² ٣ 0 -1 1h 1e999s nan epoll* matrix.toml . .. nowhere run md html txt bash"
    " {port} {out} %s a:² 127.0.0.1:99999 ["
)
WORDS = st.sampled_from([*OPTIONS.split(), "9" * 5000, "", "\x1b[2J", "\udcff", "\u202e"]) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5
)


@fuzzed
@given(st.sampled_from(sorted(COMMANDS)), st.lists(WORDS, max_size=6))
@example("check", ["--status", "²"])
@example("run", ["--expect-workers", "٣"])
@example("run", ["--budget", "1e999s"])
def test_any_words_are_parsed_or_refused(command: str, words: list[str]) -> None:
    """By argparse's exit, with 0 or 2."""
    with without_hang():
        try:
            build_parser([command, *words]).parse_args([command, *words])
        except SystemExit as ended:
            assert ended.code in {0, 2}  # noqa: PT017


@pytest.fixture(scope="module", name="place")
def a_folder_with_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that has a run folder."""
    folder = tmp_path_factory.mktemp("fuzz")
    write_example(folder / "run", 1, threads=(1,))
    return folder


@fuzzed
@given(command=st.sampled_from(READERS), words=st.lists(WORDS, max_size=5))
@example(command="report", words=["run", "--output", "nowhere/x"])
@example(command="report", words=["run", "--output", "."])
@example(command="report", words=["\udcff"])
@example(command="report", words=["x" * 5000])
@example(command="history", words=["-"])
def test_what_only_reads_starts_nothing(command: str, words: list[str], place: Path) -> None:
    """It answers with one of our exit codes, whatever the words."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it started a process")

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        patched.setattr(subprocess.Popen, "__init__", refuse)
        patched.setattr(os, "system", refuse)
        with without_hang(60):  # plots take their time
            code = None
            with suppress(SystemExit):
                code = main([command, *words])
            assert code in {None, 0, 2, 3}
