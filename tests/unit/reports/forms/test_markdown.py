"""The report for a pull request, as a Markdown parser reads it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # comes with rich
from markdown_it.token import Token

from reports.forms.markdown import code, escaped, render_markdown
from runners.records.folder import read_folder
from runners.records.run import RunFolder
from tests.support import ROOT
from tests.support.example_run import HOSTILE, example_run, hostile, hostile_matrix

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"<details>", "<summary>Environment</summary>", "</details>", "<!-- -->"}


def tokens(text: str) -> Iterator[Token]:
    """Yield all tokens of a text, those inside of others too."""
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def shown(text: str) -> str:
    """Return what a reader sees of one line."""
    return "".join(token.content for token in tokens(text) if token.type in ("text", "text_special", "code_inline"))


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of all tables, as a reader sees them."""
    rows: list[list[str]] = []
    cell = False
    for token in PARSER.parse(text):
        cell = token.type in ("td_open", "th_open") or (cell and token.type == "inline")
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline" and cell:
            rows[-1].append("".join(part.content for part in token.children or () if part.type != "html_inline"))
    return rows


@cache
def report() -> str:
    """Return the synthetic run's report."""
    run, trials, _ = example_run()
    return render_markdown([RunFolder(Path("nowhere"), run, trials)])


def test_each_table_stands_below_its_answer() -> None:
    """In bold, above the numbers."""
    title = report().index("## Current numbers, with persistent connections\n")
    answer = report().index("**epoll (with edge-triggering) needs the least CPU per request; asynchttp needs 6.23")

    assert title < answer < report().index("| asynchttp | 2 |")


def test_rows_hold_what_was_measured_and_what_was_published() -> None:
    """A row without a number says why."""
    rows = {row[0]: row[1:] for row in reversed(table_rows(report())) if row}

    assert rows["with --gc:markandsweep"] == [
        "1", "cheaper", "CPU per request in duets", "0.841", "0.832\u20130.853", "17029", "16775\u201317479", "1.21",
        "56.3", "14.5", "35986", "2.62",
    ]  # fmt: skip
    assert rows["jester"][1:] == ["unavailable: not written yet", "", "", "", "\u2013", "", "", "", "", "6597", "0.48"]
    assert rows["h2o (2 threads) shared"][0] == (
        "this machine cannot show it: with 2 threads, server and load generator share CPUs"
    )
    assert rows["asynchttp (twin)"][-2:] == ["noise floor", "6"]


def test_every_row_has_as_many_cells_as_its_table() -> None:
    """Else numbers would stand under another name."""
    for table in re.findall(r"(?:^\|.*\n)+", report(), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_warnings_stand_first_and_the_environment_is_folded() -> None:
    """What limits the numbers is not below them."""
    text, number = report(), len(example_run()[1])
    assert text.index(f"> **Warning:** Not counted: 1 invalid of {number} trials.") < text.index("\n## ")
    assert (
        report().index("<details>") < report().index("| cpu | Example CPU @ 2.50GHz |") < report().index("</details>")
    )


def test_it_says_whether_the_numbers_agree() -> None:
    """Those of the run, and those beside it."""
    assert "- local (Example CPU @ 2.50GHz): no contradictions.\n" in report()
    assert "**L6 same number in both modes** asynchttp: 13746 requests per second" in report()


def test_published_runs_alone_show_their_numbers_only() -> None:
    """In the tables that name them, without empty columns."""
    text = render_markdown([read_folder(folder) for folder in sorted((ROOT / "published").glob("2015-*"))])
    rows = table_rows(text)

    assert ["jester", "6597"] in rows
    assert ["epoll (16 thr.)", "1532484"] in rows
    assert all(len(row) == 2 for row in rows)
    assert "unavailable" not in text


def test_hostile_text_is_shown_as_text() -> None:
    """Nothing of a run folder becomes an element, a link, an image or a column."""
    run, trials, _ = example_run(2)
    run = dataclasses.replace(hostile(run), matrix=hostile_matrix(run.matrix))
    text = render_markdown([RunFolder(Path("nowhere"), run, hostile(trials))])
    kinds = {token.type for token in tokens(text)}
    elements = {
        line for token in tokens(text) if token.type.startswith("html") for line in token.content.strip().splitlines()
    }

    assert elements <= OURS
    assert not kinds & {"link_open", "image", "s_open", "fence_open"}
    assert "<script>alert(1)</script>\"'&amp;\u241b[31mred" in "".join(token.content for token in tokens(text))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)


@pytest.mark.parametrize(
    "text",
    [
        "a|b", "*a* _b_ **c** ~~d~~ __0__ a_b",
        "`a` ``", "[a](http://b)", "<b>&amp;", "- a", "+ a", "1. a", "2) a", "# a",
        "=== ", "\\*", "a\\", "$x$", "![x](y)", HOSTILE.replace("\x1b", "").replace("\u202e", ""),
    ],
)  # fmt: skip
def test_text_is_shown_as_it_is(text: str) -> None:
    """Whatever it means to Markdown."""
    assert shown(escaped(text)) == " ".join(text.split())
    assert table_rows(f"| a |\n| --- |\n| {escaped(text)} |\n")[-1] == [" ".join(text.split())]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """In a paragraph, and as code."""
    assert shown(f"x {escaped(text)}").strip() == f"x {' '.join(text.split())}".strip()
    assert shown(f"x {code(text)}") == f"x {' '.join(text.split())}" or not text.strip()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("@someone", "@<!-- -->someone"),
        ("2.5 @ 3 GHz", "2.5 @ 3 GHz"),
        ("see #12", "see #<!-- -->12"),
        ("http://x/", "http:<!-- -->//x/"),
        ("www.x.org", "www<!-- -->.x.org"),
        (":tada:", ":<!-- -->tada:"),
        ("18:00:00", "18:00:00"),
    ],
)
def test_nothing_becomes_a_link_or_a_mention_on_github(text: str, made: str) -> None:
    """Which would call people, or lead somewhere."""
    assert escaped(text) == made
