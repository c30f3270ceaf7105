"""The document's story and the README: their figures are those of the recorded run, and say which way they point."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from docs import make_story
from reports.forms.answers import ComparisonData, RowData, render_json
from runners.matrix.reading import read_matrix
from runners.records.run import RunFolder
from runners.stats.statistics import Answer
from runners.tools.find import TOOL_DATA
from tests.support import ROOT
from tests.support.example_run import example_run, of_the_document, write_folder

STEPS = "table-standard-library"
FIGURES = re.compile(
    r"\d ?%|\d,?\d* (req/s|requests per second|µs|times)\b|\b(cheaper|costlier|faster than|slower than)\b"
    r"|\b(less|more) CPU\b|\b(more|fewer) requests\b"
)
OF_2015 = "13746 requests per second"


@cache
def recorded() -> make_story.Recorded:
    """Return the synthetic run, as a recorded one."""
    run, trials, _ = example_run()
    text = render_json([RunFolder(Path("nowhere"), of_the_document(run), trials)])
    return make_story.Recorded(ROOT / "published/example/report.json", make_story.parsed(text))


def comparison(verdict: Answer, ratio: float, *, figure: str = "server_cpu_us_per_request") -> ComparisonData:
    """Return a comparison with this verdict, and an interval of 1 % to each side."""
    found = recorded().row(STEPS, "asynchttp.markandsweep").comparison
    assert found
    low, high = ratio / 1.01, ratio * 1.01
    return dataclasses.replace(found, verdict=verdict, ratio=ratio, low=low, high=high, figure=figure)  # type: ignore[arg-type]


def compared(ratio: float) -> RowData:
    """Return a row that was compared with the baseline in duets."""
    row = recorded().row(STEPS, "asynchttp.markandsweep")
    return dataclasses.replace(row, comparison=comparison("cheaper" if ratio < 1 else "costlier", ratio))


@pytest.mark.parametrize("page", make_story.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_of_the_recorded_run(page: Path) -> None:
    """After a new run: python docs/make_story.py RUN_FOLDER."""
    text = page.read_text(encoding="utf-8")
    assert make_story.PLACE.search(text)
    assert text == make_story.renewed(text, page, make_story.newest())


@pytest.mark.parametrize("page", make_story.PAGES, ids=lambda page: page.name)
def test_every_place_can_be_filled_from_a_run_of_the_matrix(page: Path) -> None:
    """Each names a table and rows that the matrix has; what the run lacks has its reason."""
    text = make_story.renewed(page.read_text(encoding="utf-8"), page, recorded())
    assert make_story.NOT_YET not in text
    assert all(match[0].count("\n") >= 2 for match in make_story.PLACE.finditer(text))


def test_the_story_names_every_row_of_the_document() -> None:
    """Whole tables are shown, so none can be forgotten."""
    matrix, _ = read_matrix(ROOT / "matrix.toml", TOOL_DATA)
    text = (ROOT / "docs/explanation/nim-speedups.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"<!-- story: rows (\S+) -->", text))
    assert shown == {f"table-{table.id}" for table in matrix.table if table.published}


@pytest.mark.parametrize("page", make_story.PAGES, ids=lambda page: page.name)
def test_no_result_is_typed_in_by_hand(page: Path) -> None:
    """Outside of its places, the story says what changes and why; the README's other figures are of other things."""
    text = make_story.PLACE.sub("", page.read_text(encoding="utf-8")).replace(OF_2015, "")
    if page.name == "README.md":
        text = text.partition("\n## ")[0]
    assert [match[0] for match in FIGURES.finditer(text)] == []


@pytest.mark.parametrize(
    ("verdict", "ratio", "words"),
    [
        ("cheaper", 0.8, "20.0 % less CPU (96.9 % CI 19.2\u201320.8 %)"),
        ("cheaper", 0.25, "75.0 % less CPU"),
        ("costlier", 1.3, "30.0 % more CPU"),
        ("costlier", 2.5, "2.50 times the CPU"),
        ("equivalent", 1.001, "no difference (ratio, 96.9 % CI 0.99\u20131.01)"),
        ("not resolved", 0.99, "not resolved (ratio, 96.9 % CI 0.98\u20131.00)"),
    ],
)
def test_words_point_the_way_of_the_verdict(verdict: Answer, ratio: float, words: str) -> None:
    """With the interval behind them."""
    assert make_story.said(comparison(verdict, ratio)).startswith(words)


@pytest.mark.parametrize(
    ("verdict", "ratio", "words"),
    [
        ("faster", 1.5, "50.0 % more requests/s"),
        ("slower", 0.5, "50.0 % fewer requests/s"),
        ("faster", 3.0, "3.00 times the requests/s"),
    ],
)
def test_rates_have_words_of_their_own(verdict: Answer, ratio: float, words: str) -> None:
    """More of them is better, more CPU is not."""
    assert make_story.said(comparison(verdict, ratio, figure="requests_per_s")).startswith(words)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (0.8, 0.6, "between 23 and 26 % less CPU"),
        (0.6, 0.8, "between 31 and 36 % more CPU"),
        (0.8, 0.79, "no difference can be told"),
    ],
)
def test_a_step_is_compared_with_the_one_before_by_the_ends_of_both_intervals(
    before: float, now: float, words: str
) -> None:
    """They were not measured beside each other, so only what all values in both intervals agree on is said."""
    assert make_story.since(compared(now), compared(before)) == words


@pytest.mark.parametrize("key", ["asynchttp", "asynchttp.markandsweep"])
def test_a_rate_that_only_noisy_trials_give_is_marked_so(key: str) -> None:
    """The baseline's too; a row without a verdict says it there."""
    row = dataclasses.replace(recorded().row(STEPS, key), status="noisy")
    assert make_story.label(row).endswith("*noisy alone*")
    assert "noisy" not in make_story.label(dataclasses.replace(row, comparison=None, baseline=False))


def test_a_step_without_an_interval_is_compared_with_nothing() -> None:
    """Unknown is unknown."""
    row = compared(0.8)
    assert make_story.since(dataclasses.replace(row, comparison=None), row) == "not known"


def test_a_run_is_kept_without_whose_it_is_and_fills_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command does both; nothing else changes."""
    page = tmp_path / "page.md"
    page.write_text(
        f"<!-- story: rows {STEPS} asynchttp -->\n{make_story.NOT_YET}\n<!-- end -->\nEnd.\n", encoding="utf-8"
    )
    for name, value in {"ROOT": tmp_path, "PUBLISHED": tmp_path / "published", "PAGES": (page,)}.items():
        monkeypatch.setattr(make_story, name, value)
    (tmp_path / "published").mkdir()
    run, trials, logs = example_run()
    folder = write_folder(tmp_path / "run", of_the_document(run), trials, logs)

    assert make_story.main([str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "page.md"
    assert [file.relative_to(tmp_path) for file in tmp_path.glob("published/*/*")] == [
        Path("published/2026-11-24-local/report.json")
    ]
    assert "| initial state | 13,746 | 14," in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").endswith("<!-- end -->\nEnd.\n")
    assert make_story.main(["--check"]) == 0


def test_every_recorded_run_follows_the_schema_and_its_verdicts_their_intervals() -> None:
    """Files that the repository keeps, and the synthetic run, so that there is always one."""
    schema = json.loads((ROOT / "report.schema.json").read_text(encoding="utf-8"))
    kept = sorted(make_story.PUBLISHED.glob("*/report.json"))
    for file in kept:
        jsonschema.validate(json.loads(file.read_text(encoding="utf-8")), schema)
    for each in (recorded(), *map(make_story.read, kept)):
        found = [row.comparison for table in each.run.tables for row in table.rows if row.comparison]
        assert [item for item in found if not agrees(item)] == []


def agrees(found: ComparisonData) -> bool:
    """Return whether a verdict is the one that its interval and margin give."""
    below, above = found.verdict in ("cheaper", "slower"), found.verdict in ("costlier", "faster")
    if not (below or above):
        return True
    if found.low is None or found.high is None or found.margin is None:
        return False
    return found.high < 1 - found.margin if below else found.low > 1 + found.margin
