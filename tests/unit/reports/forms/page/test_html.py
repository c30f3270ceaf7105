"""The report: one file, the same every time, whatever is in the run folder."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.changes.change import change_of
from reports.changes.change_words import sentences
from reports.forms.change import rows
from reports.forms.page.filters import between, fixed, grouped, mib, ms
from reports.forms.page.html import render_report
from reports.forms.page.logs import read_log, shorten
from reports.forms.writing import write_as
from reports.view.words import clean
from runners.records.folder import read_folder, read_trials
from runners.records.run import RunFolder
from runners.records.trial import Check
from tests.support import ROOT
from tests.support.changes import Truth, at_equal_rates, comparison
from tests.support.example_run import (
    HOSTILE,
    example_run,
    hostile,
    hostile_matrix,
    of_the_document,
    write_example,
    write_folder,
)

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """Reads a report: every element with its attributes, the rows of its tables, and whether all is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that elements close in order."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text, in a table's cell too."""
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def attributes(self, name: str) -> list[str]:
        """Return every value of an attribute."""
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]


def parse(text: str) -> Page:
    """Return a report, read; every element must be closed."""
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a synthetic run folder with its report."""
    made = write_example(tmp_path_factory.mktemp("run") / "example")
    write_as([made], "html")
    return made


@pytest.fixture(scope="module")
def report(folder: Path) -> str:
    """Return the synthetic run's report."""
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(report: str) -> Page:
    """Return the synthetic run's report, read."""
    return parse(report)


@pytest.mark.usefixtures("undrawn")
def test_every_row_of_the_document_stands_with_its_published_number(tmp_path: Path) -> None:
    """Measured or not."""
    run, trials, logs = example_run(2, threads=(1,))
    page = parse(
        write_as([write_folder(tmp_path, of_the_document(run), trials, logs)], "html").read_text(encoding="utf-8")
    )
    found = [row for row in page.rows if len(row) > 2]
    cells = {
        (row[0].split("(")[0].split("shared")[0].strip(), cell.split("\u00d7")[0]) for row in found for cell in row[1:]
    }

    for folder in sorted((ROOT / "published").glob("2015-*")):
        for trial in read_trials(folder):
            number = f"{trial.requests_per_s:.0f}"
            assert any(published == number for _, published in cells), number
    assert ("jester", "6597") in cells
    assert ("epoll_parallel", "145422") in cells


def test_nothing_is_loaded_from_elsewhere(page: Page, report: str) -> None:
    """No reference but to the page itself and to data in it; one script, which the policy knows by its hash."""
    references = page.attributes("href") + page.attributes("src") + page.attributes("action")

    assert all(reference.startswith(("#", "data:")) for reference in references)
    scripts = [attributes.get("type") for tag, attributes in page.elements if tag == "script"]
    assert scripts == ["application/ld+json", None]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    policy = next(value for value in page.attributes("content") if "default-src" in value)
    assert "default-src 'none'" in policy
    digest = hashlib.sha256(report[report.index("<script>") + 8 : report.rindex("</script>")].encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}';" in policy
    assert not re.search(r"@import|url\((?!#)", (ROOT / "templates" / "report.css").read_text(encoding="utf-8"))


def test_every_link_leads_somewhere_and_every_id_is_given_once(page: Page) -> None:
    """A row's name leads to its cell."""
    ids = page.attributes("id")

    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("href") if link.startswith("#")} <= set(ids)


@pytest.mark.parametrize("modes", [("persistent",), ("persistent", "non-persistent")], ids=["one mode", "two modes"])
def test_the_page_of_a_comparison_begins_with_its_own_answer(modes: tuple[str, ...]) -> None:
    """The sentence and the table that the command printed, instead of answers about its two rows."""
    folder = at_equal_rates(comparison(Truth(cpu=1.3, modes=modes)), 8_000)
    change = change_of([folder])
    page = parse(render_report([folder]))
    assert sentences(change) in " ".join(page.text)
    for place in change.places:
        for row in rows(change, place):
            assert list(row) in page.rows
    assert [each for each in page.attributes("id") if each.endswith("-answer")] == []
    assert "CPU per request at 8,000 requests/s" in {row[0] for row in page.rows if row}


def test_the_same_folder_gives_the_same_bytes(folder: Path, report: str) -> None:
    """Nothing but the folder decides the report, not even where it lies."""
    moved = folder.with_name("moved")
    shutil.copytree(folder, moved)

    assert write_as([moved], "html").read_text(encoding="utf-8") == report


def test_sections_stand_in_their_order(report: str) -> None:
    """How many warnings, the answers, the warnings in full, the document, the details, and the text to paste."""
    marks = [
        'class="warned"', 'id="answers"', 'class="bars"', 'id="notices"', 'class="introduction"',
        'id="table-standard-library"', 'id="table-non-persistent"', 'id="other-non-persistent"', 'id="scaling"',
        'id="latency"', 'id="cells"', 'id="text"', 'id="builds"', 'id="machine"', 'id="plan"', 'id="method"',
    ]  # fmt: skip
    places = [report.index(mark) for mark in marks]

    assert places == sorted(places)


def test_what_broke_is_said_near_the_top(report: str, folder: Path) -> None:
    """A failed build, invalid trials and the runner's own warnings."""
    top = report[: report.index('class="introduction"')]

    assert "asynchttp.boehm did not build: could not load: libgc.so" in top
    assert f"Not counted: 1 invalid of {len(read_trials(folder))} trials. Most frequent cause: V1 no errors" in top
    assert "The CPU frequency governor is unknown." in top


def test_outputs_are_shown_without_our_own_lines(report: str) -> None:
    """wrk's words are there, the histogram that our script prints for us is not."""
    assert "Running 1s test @" in report
    assert "listening on 127.0.0.1:8080" in report
    assert "Error: cannot open file: asyncdispatch" in report
    assert "should:not:be:shown" not in report


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    """Whatever stands in a run folder, the page has the elements of our templates and no control characters."""
    run, trials, logs = example_run(2, threads=(1,))
    clean_page = parse(render_report([RunFolder(tmp_path, run, trials)]))
    matrix = hostile_matrix(run.matrix)
    run = dataclasses.replace(hostile(run), matrix=matrix)
    made = write_folder(tmp_path / "bad", run, hostile(trials), {name: HOSTILE + text for name, text in logs.items()})
    text = write_as([made], "html").read_text(encoding="utf-8")
    page = parse(text)

    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in clean_page.elements}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>\"'&amp;\u241b[31mred<U+202E>" in "".join(page.text)
    assert "{{ 7*7 }}" in "".join(page.text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)


@pytest.mark.usefixtures("undrawn")
def test_a_log_outside_the_run_folder_is_not_read(tmp_path: Path) -> None:
    """A record may name any path; only the folder's own files are shown."""
    inside = tmp_path / "run"
    (inside / "logs").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (inside / "logs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "logs" / "own.txt").write_bytes(b"speedup:1\nfine \xff\nspeedup:2\n")

    assert read_log(inside, "../secret.txt") is None
    assert read_log(inside, str(tmp_path / "secret.txt")) is None
    assert read_log(inside, "logs/link.txt") is None
    assert read_log(inside, "logs") is None
    assert read_log(inside, "a\0b") is None
    assert read_log(inside, None) is None
    assert read_log(inside, "logs/own.txt") == "fine \ufffd"


def test_long_output_keeps_its_beginning_and_end() -> None:
    """And says how much is missing."""
    text = shorten("a" * 5000 + "b" * 5000)

    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "[... 5500 characters left out ...]" in text
    assert shorten("short") == "short"


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_has_only_begun_has_a_report(tmp_path: Path) -> None:
    """Planned and nothing measured: every row says so."""
    run, trials, _ = example_run(6)
    begun = tuple(dataclasses.replace(family, ended_by=None) for family in run.families)
    run = dataclasses.replace(run, families=begun)
    alone = [trial for trial in trials if trial.pair is None][:30]
    planned = sum(len(items) for family in run.families for items in family.blocks)
    page = parse(render_report([RunFolder(tmp_path, run, ())]))
    half = parse(render_report([RunFolder(tmp_path, run, tuple(alone))]))

    assert "Nothing was measured in this run." in "".join(page.text)
    assert any("not measured yet" in cell for row in page.rows for cell in row)
    assert any(f"Incomplete: 30 of {planned} planned trials measured" in part for part in half.text)


@pytest.mark.usefixtures("undrawn")
def test_a_rate_of_noisy_trials_says_so_beside_a_verdict_from_duets(tmp_path: Path) -> None:
    """The row is still compared, in its table and head to head."""
    run, trials, _ = example_run(6, threads=(1,))
    calm = Check("V15", "calm machine", "fail", "other programs used 93 % of a CPU")
    trials = tuple(
        dataclasses.replace(trial, verdict="invalid", checks=(calm,))
        if trial.server == "epoll" and trial.pair is None
        else trial
        for trial in trials
    )
    text = render_report([RunFolder(tmp_path, run, trials)])
    row = re.findall(r'<tr id="table-persistent-epoll-t1-c64".*?</tr>', text, re.DOTALL)[0]

    assert '<span class="tag">noisy</span>' in row
    assert "84.0 % less CPU" in row
    assert 'data-by="duet cost" data-at="64 wrk "' in row


@pytest.mark.usefixtures("undrawn")
def test_locust_numbers_carry_a_plain_warning(tmp_path: Path) -> None:
    """They are bounded by the client."""
    run, trials, _ = example_run(1, threads=(1,))
    cells = tuple(dataclasses.replace(cell, load="locust") for cell in run.cells)
    text = render_report([RunFolder(tmp_path, dataclasses.replace(run, cells=cells), trials)])

    assert "Loaded by Locust: these numbers are bounded by the client." in text
    assert "Only 1 block: intervals and verdicts need at least 6." in text


def test_several_runs_stand_one_after_another(folder: Path, tmp_path: Path) -> None:
    """Their ids do not meet; published folders only add their numbers."""
    other = write_example(tmp_path / "other", 2, threads=(1,))
    text = write_as([other, folder, *sorted((ROOT / "published").glob("2015-*"))], "html").read_text(encoding="utf-8")
    page = parse(text)
    ids = page.attributes("id")

    assert len(ids) == len(set(ids))
    assert [tag for tag, _ in page.elements].count("h1") == 2
    assert {link[1:] for link in page.attributes("href") if link.startswith("#")} <= set(ids)


@pytest.mark.usefixtures("undrawn")
def test_a_published_run_alone_has_a_report() -> None:
    """Its trials are in no plan and its matrix is empty, yet its numbers are shown."""
    text = render_report([read_folder(ROOT / "published" / "2015-core2quad-q9300")])

    assert "Other cells, persistent connections" in text


def test_a_report_is_small_enough_for_mail(folder: Path, report: str) -> None:
    """How fast it is made, benchmarks/report_scale.py tells: no test depends on the machine's speed."""
    assert len(read_trials(folder)) > 150
    assert len(report.encode()) < 1_000_000


def test_numbers_are_set_apart_by_style_only() -> None:
    """Copied and searched they are plain digits."""
    assert grouped(1532484.4) == '1<span class="k">532</span><span class="k">484</span>'
    assert grouped(999) == "999"
    assert grouped(None) == grouped(float("nan")) == "\u2013"
    assert (fixed(None), fixed(1.005, 1)) == ("\u2013", "1.0")
    assert (mib(None), mib(3 * 2**20)) == ("\u2013", "3.0")
    assert (ms(None), ms(1234)) == ("\u2013", "1.23")
    assert (between(None), between((1.0, 2.0), 2)) == ("", "1.00\u20132.00")


def test_invisible_characters_become_visible() -> None:
    """An escape sequence cannot repaint, a direction mark cannot reorder; line ends stay where wanted."""
    assert clean("a\x1b[2Jb\n\t\r\x7f\u202e\ud800") == "a\u241b[2Jb\n\t\u240d\u2421<U+202E><U+D800>"
    assert clean("a\nb", keep="") == "a\u240ab"
