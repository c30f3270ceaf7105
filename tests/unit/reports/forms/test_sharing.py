"""What travels: a card, a badge, and what a page's head tells those who link to it."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.image import imread

from reports.forms.about import picture_name
from reports.forms.badge import render_badge
from reports.forms.card import render_card
from reports.forms.writing import Wanted, content_of, write_as
from runners.errors import BadInput
from runners.records.run import RunFolder
from speedup import entry
from tests.support.example_run import HOSTILE, example_run, hostile, hostile_matrix, write_example
from tests.support.small_run import small_run

pytestmark = pytest.mark.usefixtures("undrawn")
URL = "https://example.org/speed/now.html"


@pytest.fixture(scope="module")
def folders() -> Sequence[RunFolder]:
    """Return the synthetic run with enough blocks for verdicts."""
    run, trials, _ = example_run(12, threads=(1,))
    return [RunFolder(Path("nowhere"), run, trials)]


@pytest.mark.parametrize("dark", [False, True])
def test_a_card_is_1200_by_630_and_its_paper_is_light_or_dark(folders: Sequence[RunFolder], *, dark: bool) -> None:
    """As PNG and as SVG; the same run gives the same bytes."""
    picture = render_card(folders, "png", dark=dark)
    pixels = imread(io.BytesIO(picture))
    drawing = ET.fromstring(render_card(folders, "svg", dark=dark))  # noqa: S314 - our own output

    assert pixels.shape[:2] == (630, 1200)
    assert (float(pixels[3, 3, :3].mean()) < 0.2) is dark
    assert drawing.get("viewBox") == "0 0 864 453.6"
    assert render_card(folders, "png", dark=dark) == picture
    assert not re.search(rb"href=\"(?!#)", render_card(folders, "svg", dark=dark))


def test_nothing_of_a_card_lies_outside_of_it(folders: Sequence[RunFolder]) -> None:
    """Its border is paper, however long names and answers are."""
    run, trials = folders[0].run, folders[0].trials
    long = [dataclasses.replace(cell, title=f"{cell.title} {'very ' * 20}long") for cell in run.cells]
    for run_ in (run, dataclasses.replace(run, cells=tuple(long), machine_title="m" * 300)):
        picture = imread(
            io.BytesIO(render_card([RunFolder(Path("nowhere"), run_, trials)], "png", table="for comparison"))
        )

        for edge in (picture[:6], picture[-6:], picture[:, :6], picture[:, -6:]):
            assert float(edge[..., :3].min()) == 1.0


def test_a_card_is_of_the_table_that_is_named(folders: Sequence[RunFolder]) -> None:
    """By title or anchor; another name is told with those that there are."""
    named = render_card(folders, "png", table="For  Comparison")

    assert named == render_card(folders, "png", table="comparison")
    assert named != render_card(folders, "png")
    with pytest.raises(BadInput, match=r"no table is called 'x'; tables of this report: 'Optimizing standard library'"):
        render_card(folders, "png", table="x")


def test_hostile_names_are_drawn_as_they_are() -> None:
    """Nothing of them becomes an element."""
    run, trials, _ = example_run(2, threads=(1,))
    run = dataclasses.replace(hostile(run), matrix=hostile_matrix(run.matrix))
    svg = render_card([RunFolder(Path("nowhere"), run, hostile(trials))], "svg")

    assert b"<script" not in svg
    assert {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()} <= {  # noqa: S314 - our own output
        "svg", "metadata", "RDF", "Work", "type", "format", "defs", "style", "g", "path", "use", "clipPath", "rect",
    }  # fmt: skip


def test_a_badge_says_a_rows_verdict(folders: Sequence[RunFolder]) -> None:
    """As shields.io reads it: the best row of a table, or the one that is named."""
    best = json.loads(render_badge(folders, table="persistent"))
    named = json.loads(render_badge(folders, table="comparison", row="go (1 thread)"))

    assert best == {
        "schemaVersion": 1,
        "label": "epoll (with edge-triggering)",
        "message": "84.0 % less CPU than asynchttp",
        "color": "brightgreen",
    }
    assert named["message"].endswith(" less CPU than python epoll")


def test_a_redacted_badge_leaves_out_who_measured(folders: Sequence[RunFolder]) -> None:
    """As every form does."""
    (folder,) = folders
    cells = tuple(dataclasses.replace(cell, title=f"{cell.title} on asynchttp-box") for cell in folder.run.cells)
    head = dataclasses.replace(folder.run, cells=cells, matrix="", facts={"hostname": "asynchttp-box"})
    named = [dataclasses.replace(folder, run=head)]
    wanted = Wanted(table="Other cells, persistent connections")

    assert "asynchttp-box" in str(content_of(named, "badge", wanted))
    assert "asynchttp-box" not in str(content_of(named, "badge", wanted, redact=True))


@pytest.mark.parametrize(
    ("table", "row", "why"),
    [
        ("persistent", "asynchttp", "is the baseline of"),
        ("persistent", "jester", "its verdict is not resolved .unavailable: not written yet"),
        ("persistent", "nobody", "has no row 'nobody'; its rows: 'asynchttp', 'epoll"),
        ("nothing", "", "no table is called 'nothing'"),
    ],
)
def test_what_has_no_badge_says_why(folders: Sequence[RunFolder], table: str, row: str, why: str) -> None:
    """Never is one made from a row that is not resolved."""
    with pytest.raises(BadInput, match=why):
        render_badge(folders, table=table, row=row)


def test_an_unresolved_row_has_no_badge() -> None:
    """Too few blocks: neither the best row nor one that is named."""
    few = [small_run({"a": 1.0, "b": 2.0}, blocks=3)]

    for row in ("", "b"):
        with pytest.raises(BadInput, match="resolved"):
            render_badge(few, row=row)
    even = [small_run({"a": 1.0, "b": 1.0}, blocks=12)]
    assert json.loads(render_badge(even, row="b"))["message"] == "no measurable difference from a"


def test_a_page_tells_whoever_links_to_it(folders: Sequence[RunFolder]) -> None:
    """Title and answer always; a picture only where its address is absolute."""
    plain = str(content_of(folders, "html"))
    placed = str(content_of(folders, "html", Wanted(url=URL)))

    for page in (plain, placed):
        assert '<meta property="og:title" content="Nim HTTP Speedup">' in page
        assert '<meta property="og:description" content="Optimizing standard library: ' in page
    assert "og:image" not in plain
    assert '<meta property="og:image" content="https://example.org/speed/now.png">' in placed
    assert f'<link rel="canonical" href="{URL}">' in placed
    data = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', placed, re.DOTALL)[0])
    assert (data["@type"], data["name"], data["url"]) == ("Dataset", "Nim HTTP Speedup", URL)
    assert data["image"] == "https://example.org/speed/now.png"


def test_hostile_text_stays_text_in_the_head(tmp_path: Path) -> None:
    """In attributes and in JSON."""
    run, trials, _ = example_run(1, threads=(1,))
    run = dataclasses.replace(run, machine_title=HOSTILE, matrix=hostile_matrix(run.matrix))
    page = str(content_of([RunFolder(tmp_path, run, trials)], "html"))
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)

    assert len(found) == 1
    assert HOSTILE.split("\x1b")[0] in json.loads(found[0])["name"]


@pytest.mark.parametrize(
    ("url", "name"),
    [(URL, "now.png"), ("https://example.org/speed/", "report.png"), ("https://example.org", "report.png")],
)
def test_the_picture_lies_beside_the_page(url: str, name: str) -> None:
    """Under the page's name."""
    assert picture_name(url) == name


def test_a_page_with_an_address_gets_its_picture(tmp_path: Path) -> None:
    """Beside it, and its path is not printed: the page is what was asked for."""
    made = write_example(tmp_path / "run", 2, threads=(1,))
    page = write_as([made], "html", tmp_path / "now.html", wanted=Wanted(url=URL))

    assert page == tmp_path / "now.html"
    assert imread(tmp_path / "now.png").shape[:2] == (630, 1200)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--table", "x"], "--table is for pictures and badges"),
        (["--dark", "--format", "md"], "--dark is for pictures"),
        (["--row", "x"], "--row is for a badge"),
        (["--url", URL, "--format", "md"], "--url is for a page"),
        (["--badge", "b.json", "--format", "md"], "--badge writes nothing but FILE"),
    ],
)
def test_options_that_do_not_fit_are_told(argv: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2, and what to do."""
    assert entry.main(["report", "published/2015-xeon-e5-2680", *argv]) == 2
    assert reason in capsys.readouterr().err


def test_an_address_is_absolute(capsys: pytest.CaptureFixture[str]) -> None:
    """Others could not follow it."""
    with pytest.raises(SystemExit) as ended:
        entry.main(["report", "x", "--url", "now.html"])

    assert ended.value.code == 2
    assert "is not an absolute address" in capsys.readouterr().err


def test_the_command_line_writes_cards_and_badges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the run folder, where it is told, or to standard output."""
    made = write_example(tmp_path / "run", 12, threads=(1,))
    assert entry.main(["report", str(made), "--format", "png"]) == 0
    assert entry.main(["report", str(made), "--output", str(tmp_path / "x.svg"), "--table", "comparison"]) == 0
    assert entry.main(["report", str(made), "--badge", str(tmp_path / "badge.json")]) == 0

    printed = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert printed == ["report.png", "x.svg", "badge.json"]
    assert (made / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "x.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert json.loads((tmp_path / "badge.json").read_text(encoding="utf-8"))["schemaVersion"] == 1
