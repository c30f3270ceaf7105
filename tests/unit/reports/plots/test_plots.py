"""Plots as SVG for one page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reports.plots.curves import MOST_LINES, percentile_plot, scaling_plot
from reports.plots.drawing import top
from reports.tables.scaling import scalings
from reports.view.view import RunView, view_run
from runners.records.run import RunFolder
from tests.support.example_run import example_run, hostile, hostile_matrix


def example_view(blocks: int = 3, threads: tuple[int, ...] = (1, 2)) -> RunView:
    """Return the view of the synthetic run."""
    run, trials, _ = example_run(blocks, threads=threads)
    return view_run(RunFolder(Path("nowhere"), run, trials))


def threads_plot(view: RunView) -> str:
    """Return the plot of rates over threads."""
    return scaling_plot(scalings(view, "threads"), "s")


@pytest.fixture(scope="module")
def lines() -> str:
    """Return the lines over threads."""
    return threads_plot(example_view())


def test_a_plot_is_well_formed_and_speaks_to_people_who_do_not_see_it(lines: str) -> None:
    """It has a role, a title and a description with the numbers."""
    root = ET.fromstring(lines)  # noqa: S314 - our own output

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "s-title s-desc"
    title, description = root[0].text or "", root[1].text or ""
    assert title == "Requests per second over server threads"
    assert "epoll, persistent: " in description


def test_ids_are_the_plots_own_and_all_references_meet(lines: str) -> None:
    """Two plots in one page must not share a clip path."""
    ids = re.findall(r'\bid="([^"]+)"', lines)

    assert len(ids) == len(set(ids))
    assert all(name.startswith("s") for name in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", lines)) | set(re.findall(r'href="#([^"]+)"', lines)) <= set(ids)


def test_colours_follow_the_page(lines: str) -> None:
    """No sentinel is left, nor a colour of its own; and nothing leaks or is loaded."""
    assert re.findall(r"#[0-9a-f]{6}\b", lines) == []
    assert "currentColor" in lines
    assert "var(--series-1)" in lines
    for word in ("<style", "<metadata", "<!--", "xlink", "http://www.w3.org/1999", "DejaVu"):
        assert word not in lines
    assert re.findall(r"https?://[^\"]+", lines) == ["http://www.w3.org/2000/svg"]


def test_the_same_numbers_give_the_same_bytes(lines: str) -> None:
    """A report that is made again must not differ."""
    assert threads_plot(example_view()) == lines


def test_text_stays_text(lines: str) -> None:
    """Labels can be selected and found."""
    assert ">asynchttp --gc:markandsweep</text>" in lines


def test_a_table_with_nothing_measured_has_no_plot() -> None:
    """Published numbers alone are in the table."""
    run, _, _ = example_run(1)
    view = view_run(RunFolder(Path("nowhere"), run, ()))

    assert threads_plot(view) == ""
    assert percentile_plot(view, "l") == ""


def test_one_thread_count_has_no_scaling_plot() -> None:
    """A line needs two points."""
    assert threads_plot(example_view(threads=(1,))) == ""


def test_the_scaling_plot_has_a_panel_for_each_mode_and_a_line_for_each_variant() -> None:
    """Points whose CPUs were shared are marked by their shape, too."""
    view = example_view()
    svg = threads_plot(view)

    assert ">persistent connections</text>" in svg
    assert ">non-persistent connections</text>" in svg
    for label in ("asynchttp", "asynchttp --gc:markandsweep", "epoll", "go", "h2o"):
        assert f">{label}</text>" in svg
    assert "CPUs shared with the load" in svg


def test_percentiles_are_drawn_on_an_axis_of_nines() -> None:
    """A panel for each mode; the words say from where to where each line goes."""
    svg = percentile_plot(example_view(), "l")

    for tick in ("50 %", "90 %", "99 %", "99.9 %"):
        assert f">{tick}</text>" in svg
    assert "epoll (2 threads), persistent: from 0." in svg


def test_a_panel_holds_so_many_lines_and_they_keep_their_order() -> None:
    """Those of the highest rates."""
    assert top(range(20), float, MOST_LINES) == list(range(20 - MOST_LINES, 20))
    assert top([3, 1, 2], float, MOST_LINES) == [3, 1, 2]


def test_hostile_labels_stay_labels() -> None:
    """Markup, mathematics and escapes are drawn as they are."""
    run, trials, _ = example_run(2)
    run = hostile(run)
    run = type(run)(**{**vars(run), "matrix": hostile_matrix(run.matrix)})
    view = view_run(RunFolder(Path("nowhere"), run, hostile(trials)))

    for svg in (threads_plot(view), percentile_plot(view, "l")):
        names = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}  # noqa: S314 - our output
        assert names <= {"svg", "title", "desc", "defs", "g", "path", "use", "text", "clipPath", "rect", "pattern"}
        assert "\x1b" not in svg
