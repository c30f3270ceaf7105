"""What the report's script does: sort, filter, another baseline, hidden columns, and the view in the URL's fragment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.claims.deciding import quotient
from reports.forms.writing import write_as
from reports.tables.tables import build_tables
from reports.view.view import view_run
from reports.view.words import level_text
from tests.integration.chromium import BROWSER, Chromium, Page
from tests.support.example_run import example_run, hostile, hostile_matrix, write_example, write_folder
from tests.support.small_run import small_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]

TABLE = "table-persistent"
HELPERS = """
const table = (name = '%s') => document.querySelector(`table[data-name="${name}"]`);
const lines = (name) => [...table(name).tBodies[0].rows].filter(row => row.checkVisibility());
const cell = (row, column) => row.querySelector(`[data-c="${column}"]`);
const column = (id, name) => lines(name).map(row => cell(row, id)?.innerText.trim() ?? null);
const head = (id, name) => table(name).querySelector(`thead [data-c="${id}"]`);
const box = (value) => document.querySelector(`.controls input[value="${value}"]`);
const tools = (name) => table(name).closest('.scroll').previousElementSibling;
""".replace("%s", TABLE)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Return a browser for all tests."""
    with Chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the synthetic run's report lies."""
    return write_as([write_example(tmp_path_factory.mktemp("script") / "run")], "html").as_uri()


def opened(browser: Chromium, url: str) -> Page:
    """Return a page in which short names for what is looked at are known."""
    page = browser.open(url)
    page.evaluate(HELPERS.replace("const ", "var ") + "0")
    return page


@pytest.fixture
def page(browser: Chromium, url: str) -> Page:
    """Return the report, freshly opened."""
    return opened(browser, url)


def names(page: Page, table: str = TABLE) -> list[str]:
    """Return the first line of each shown row's name."""
    return [text.split("\n")[0] for text in page.evaluate(f"column('name', '{table}')")]


def test_a_click_sorts_down_then_up_then_back(page: Page) -> None:
    """Numbers, the highest first; rows without one come last in either order; the header tells which."""
    before = names(page)
    seen: list[tuple[Any, list[float]]] = []
    for _ in range(2):
        page.evaluate("head('rate').querySelector('button').click()")
        values = page.evaluate("lines().map(row => cell(row, 'rate')?.dataset.v).map(v => v ? Number(v) : null)")
        known = [value for value in values if value is not None]
        assert values == known + [None] * (len(values) - len(known))
        seen.append((page.evaluate("head('rate').getAttribute('aria-sort')"), known))
    page.evaluate("head('rate').querySelector('button').click()")

    assert seen[0] == ("descending", sorted(seen[0][1], reverse=True))
    assert seen[1] == ("ascending", sorted(seen[1][1]))
    assert len(seen[0][1]) > 2
    assert names(page) == before
    assert page.evaluate("head('rate').getAttribute('aria-sort')") is None


def test_names_sort_by_letters_and_numbers(page: Page) -> None:
    """Upwards first."""
    page.evaluate("head('name').querySelector('button').click()")

    assert names(page) == sorted(names(page))


def test_sorting_works_from_the_keyboard(page: Page) -> None:
    """A header's button takes the focus, Enter sorts, and what happened is announced."""
    page.evaluate("head('rss').querySelector('button').focus()")
    page.press("Enter")

    assert page.evaluate("head('rss').getAttribute('aria-sort')") == "descending"
    assert page.evaluate("document.querySelector('.controls [role=status]').textContent") == "Sorted by RSS, descending"
    assert page.evaluate("document.activeElement === head('rss').querySelector('button')")


def test_sorted_rows_keep_the_heading_that_they_stood_under(page: Page) -> None:
    """Headings themselves mean nothing between sorted rows."""
    headings = page.evaluate("[...document.querySelectorAll('tr.heading')].length")
    name = page.evaluate("document.querySelector('tr.heading')?.closest('table').dataset.name")
    assert headings > 0
    heading = page.evaluate(f"lines('{name}').find(row => row.classList.contains('heading')).innerText.trim()")
    page.evaluate(f"head('then', '{name}').querySelector('button').click()")

    assert page.evaluate(f"lines('{name}').filter(row => row.classList.contains('heading')).length") == 0
    assert any(text.endswith(heading) for text in page.evaluate(f"column('name', '{name}')"))


def test_filters_leave_the_rows_of_the_languages_that_are_chosen(page: Page) -> None:
    """In every table; how many are hidden is said; unchecked, all are back."""
    before = names(page)
    page.evaluate("box('Go').click()")
    languages = page.evaluate("[...document.querySelectorAll('tr[data-class]')].filter(row => !row.hidden)"
                              ".map(row => row.dataset.language)")  # fmt: skip

    assert set(languages) == {"Go"}
    assert "rows are hidden by the filter" in page.evaluate("tools('modes').innerText")
    page.evaluate("box('Python').click()")
    assert {name.split(" (")[0] for name in names(page, "modes")} == {"go", "python epoll"}
    page.evaluate("box('Go').click(); box('Python').click()")
    assert names(page) == before


def test_another_baseline_gives_ratios_without_intervals_and_says_so(page: Page) -> None:
    """Of the rows that can be compared with it; no verdict follows; the baseline in the matrix brings all back."""
    before = page.evaluate("[column('ratio'), column('verdict')]")
    page.evaluate("var choice = tools().querySelector('select'); choice.selectedIndex = 1; choice.onchange()")
    options = page.evaluate("[...choice.options].map(option => option.textContent)")
    assert options[0] == "asynchttp"
    assert options.count("asynchttp") == 1
    rows = page.evaluate("lines().filter(row => 'like' in row.dataset).map(row => "
                         "[row.id, cell(row, 'rate').dataset.v, cell(row, 'ratio').innerText])")  # fmt: skip
    chosen = page.evaluate("choice.value")
    baseline = next(float(rate) for row, rate, _ in rows if row == chosen)

    for _, rate, ratio in rows:
        shown = float(ratio.strip("*\n "))
        assert shown == pytest.approx(float(rate) / baseline, rel=0.01)
        assert "\u2013" not in ratio
    published = page.evaluate("lines().map(row => cell(row, 'then')).filter(then => then?.dataset.v)"
                              ".map(then => [then.dataset.v, then.querySelector('small').innerText])")  # fmt: skip
    then = page.evaluate("lines().find(row => row.id === choice.value)"
                         ".querySelector('[data-c=then]').dataset.v")  # fmt: skip
    assert len(published) > 1
    for value, ratio in published:
        assert float(ratio.strip("*\u00d7\n ")) == pytest.approx(float(value) / float(then), rel=0.02)
    assert set(page.evaluate("column('verdict').filter(text => text)")) == {"baseline", "no verdict"}
    assert "they have no intervals and give no verdicts" in page.evaluate("table().closest('section').innerText")
    page.evaluate("choice.selectedIndex = 0; choice.onchange()")
    assert page.evaluate("[column('ratio'), column('verdict')]") == before


def test_a_hidden_column_is_gone_from_all_rows_and_heads(page: Page) -> None:
    """Cells that span several columns become narrower by as many."""
    widths = "lines().map(row => [...row.cells].filter(c => !c.hidden).reduce((sum, c) => sum + c.colSpan, 0))"
    before = set(page.evaluate(widths))
    page.evaluate(
        "var boxes = [...tools().querySelectorAll('input')]; boxes.forEach(b => b.closest('details').open = true)"
    )
    labels = page.evaluate("boxes.map(b => b.parentElement.innerText.trim())")
    page.evaluate(f"boxes[{labels.index('RSS')}].click(); boxes[{labels.index('conn.')}].click()")

    assert len(before) == 1
    assert set(page.evaluate(widths)) == {before.pop() - 2}
    assert not page.evaluate("head('rss').checkVisibility()")


def test_a_link_shows_the_same_view(browser: Chromium, page: Page, url: str) -> None:
    """Order, filter, baseline and hidden columns stand in the fragment, behind the anchor."""
    page.evaluate("location.hash = '#table-persistent'")
    page.evaluate("""
        box('Nim').click(); box('C').click();
        head('rate').querySelector('button').click();
        var choice = tools().querySelector('select'); choice.selectedIndex = 1; choice.onchange();
        [...tools().querySelectorAll('input')][0].click(); 0
    """)
    view = "[column('name'), column('ratio'), table().innerText, tools().innerText]"
    seen, fragment = page.evaluate(view), page.evaluate("location.hash")
    other = opened(browser, url + fragment)

    assert fragment.startswith("#table-persistent&language=Nim&language=C&sort.table-persistent=rate+down&baseline.")
    assert other.evaluate(view) == seen
    assert other.evaluate("Math.abs(document.querySelector('#table-persistent').getBoundingClientRect().top) < 60")
    assert other.complaints == []


def test_a_link_within_the_page_keeps_the_view(page: Page) -> None:
    """And unfolds the cell that it leads to."""
    page.evaluate(
        "box('Nim').click(); cell(lines().find(row => 'like' in row.dataset), 'name').querySelector('a').click()"
    )
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    fragment = page.evaluate("location.hash")

    assert fragment.startswith("#cell-")
    assert fragment.endswith("&language=Nim")
    assert page.evaluate("document.getElementById(location.hash.slice(1).split('&')[0]).open")


def test_a_view_of_things_that_do_not_exist_shows_the_report(browser: Chromium, page: Page, url: str) -> None:
    """Whatever a link claims, nothing breaks and nothing of it gets into the page."""
    evil = "&sort.table-persistent=%22%5D+down&sort.x=y&baseline.table-persistent=%3Cimg%3E&hide.table-persistent=z&a=b"
    other = opened(browser, f"{url}#%E0%A4%A{evil}")

    assert names(other) == names(page)
    assert other.complaints == []
    assert other.evaluate("document.querySelectorAll('img').length") == 0


def test_what_is_unfolded_stays_in_the_link(browser: Chromium, page: Page, url: str) -> None:
    """Details of a table, its excluded rows, a cell; folded again, they leave the address."""
    page.evaluate("document.querySelector('#table-persistent-more').click()")
    page.evaluate("document.querySelector('#table-persistent-excluded > summary').click()")
    fragment = page.evaluate("location.hash")
    opened_there = opened(browser, url + fragment)

    assert fragment == "#&open=table-persistent-more+table-persistent-excluded"
    assert opened_there.evaluate("document.querySelector('#table-persistent-more').checked")
    assert opened_there.evaluate("document.querySelector('#table-persistent-excluded').open")
    assert opened_there.evaluate("document.querySelectorAll('details[open]').length") < 4
    page.evaluate("document.querySelector('#table-persistent-more').click()")
    page.evaluate("document.querySelector('#table-persistent-excluded > summary').click()")
    assert page.evaluate("location.hash") in ("", "#")


def test_an_anchor_highlights_its_row(browser: Chromium, url: str) -> None:
    """Every row of every table has one, which says what it names."""
    page = browser.open(f"{url}#table-persistent-epoll-t1-c64")
    marked = "getComputedStyle(document.querySelector(':target')).backgroundColor"

    assert page.evaluate("document.querySelectorAll('section.table tbody tr:not([id]):not(.heading)').length") == 0
    assert page.evaluate(marked) == "rgb(255, 243, 207)"


def test_two_rows_stand_head_to_head_with_an_interval(browser: Chromium, url: str) -> None:
    """By way of their baseline; what no interval leads to is not compared; the pair stays in the address."""
    page = opened(browser, url)
    one, other = (
        "table-standard-library-asynchttp-markandsweep-t1-c64",
        ("table-standard-library-asynchttp-t1-c64"),
    )
    page.evaluate("var sides = document.querySelectorAll('.versus select'); var said = () => "
                  "document.querySelector('.versus .said').textContent; 0")  # fmt: skip
    page.evaluate(f"sides[0].value = '{one}'; sides[0].onchange(); sides[1].value = '{other}'; sides[1].onchange()")
    assert page.evaluate("said()") == (
        "asynchttp, initial state needs 1.19 times the CPU of asynchttp with --gc:markandsweep per request"
        " (96.9 % CI 1.17\u20131.20)."
    )
    assert page.evaluate("location.hash") == f"#&versus={one}+{other}"
    assert page.evaluate("[...document.querySelectorAll('.versus tbody tr')].map(row => row.cells.length)") == [3] * 3
    again = opened(browser, url + page.evaluate("location.hash"))
    assert again.evaluate("document.querySelector('.versus .said').textContent") == page.evaluate("said()")
    shared = page.evaluate("[...sides[1].options].find(each => each.textContent === 'asynchttp, 2 threads').value")
    page.evaluate(f"sides[1].value = '{shared}'; sides[1].onchange()")
    assert page.evaluate("said()").startswith("Not compared directly")


def test_a_ratio_by_way_of_the_baseline_is_the_one_that_ranks(browser: Chromium, tmp_path: Path) -> None:
    """The page and `quotient` say the same of two rows that are not the baseline."""
    folder = small_run({"a": 1.0, "b": 2.0, "c": 3.0}, blocks=8)
    table = build_tables(view_run(folder))[0]
    b, c = (next(found for cell, found in table.decisions.items() if cell.startswith(name)) for name in "bc")
    assert b.estimate
    assert c.estimate
    expected = quotient(c.estimate, b.estimate).interval
    assert expected
    page = opened(browser, write_as([write_folder(tmp_path / "small", folder.run, folder.trials, {})], "html").as_uri())
    page.evaluate("""['c', 'b'].forEach((name, number) => {
        const side = document.querySelectorAll('.versus select')[number];
        side.value = [...side.options].find(each => each.textContent === name).value;
        side.onchange();
    })""")

    assert page.evaluate("document.querySelector('.versus .said').textContent") == (
        f"c answers {c.estimate.value / b.estimate.value:.2f} times as many requests per second as b"
        f" ({level_text(expected.level)} CI {expected.low:.3f}\u2013{expected.high:.3f})."
    )


def test_reset_brings_back_the_report(page: Page) -> None:
    """With a clean address."""
    before = page.evaluate("document.querySelector('main').innerText").split()
    page.evaluate("box('Nim').click(); head('rate').querySelector('button').click()")
    page.evaluate("document.querySelector('.controls button').click()")

    now = page.evaluate("document.querySelector('main').innerText")
    assert now.replace("Everything is shown as in the report", "").split() == before
    assert page.evaluate("location.hash") == ""


def test_hostile_names_stay_text_in_the_controls(browser: Chromium, tmp_path: Path) -> None:
    """Languages, titles and headings from a run folder become labels and options, never elements."""
    run, trials, logs = example_run(2)
    run = dataclasses.replace(hostile(run), matrix=hostile_matrix(run.matrix))
    made = write_folder(tmp_path / "bad", run, hostile(trials), logs)
    page = opened(browser, write_as([made], "html").as_uri())
    page.evaluate("document.querySelectorAll('.controls input').forEach(each => each.click())")
    page.evaluate("document.querySelectorAll('th[data-c=name] button').forEach(each => each.click())")
    page.evaluate("document.querySelectorAll('.tools select').forEach(each => "
                  "{ each.selectedIndex = 1; each.onchange() })")  # fmt: skip

    assert page.evaluate("document.querySelectorAll('main script, main x, main img').length") == 0
    assert "<script>alert(1)</script>" in page.evaluate("document.querySelector('.controls').innerText")
    assert page.complaints == []
    assert page.evaluate("document.title").startswith("<script>alert(1)</script>")
