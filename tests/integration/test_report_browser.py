"""The report in a real browser: what its tables hold once laid out, in every window, scheme and on paper."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from reports.forms.index import write_index
from reports.forms.writing import write_as
from tests.integration.chromium import BROWSER, Chromium, Page
from tests.support import ROOT
from tests.support.example_run import example_run, write_example, write_folder
from tests.support.ten_rows import write_ten_rows

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]

ROWS = """
[...document.querySelectorAll('#table-standard-library table')][0].querySelectorAll('tbody tr')
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the synthetic run's report lies."""
    return write_as([write_example(tmp_path_factory.mktemp("browser") / "run")], "html").as_uri()


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the report of ten rows lies, one of everything among them."""
    return write_as([write_ten_rows(tmp_path_factory.mktemp("ten") / "run")], "html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Return a browser for all tests."""
    with Chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


def test_the_browser_shows_the_tables_cells(browser: Chromium, url: str) -> None:
    """Number, spread, ratio, verdict and published number of a row, as laid out."""
    page = browser.open(url)
    found = page.evaluate(f"[...{ROWS}].map(row => [...row.cells].map(cell => cell.innerText.trim()))")
    rows = {row[0]: row for row in found}

    row = rows["with --gc:markandsweep"]
    assert row[1:6] == [
        "17029\n16775\u201317479", "56.3\n54.8\u201357.5", "15.9 % less CPU\n96.9 % CI 14.7\u201316.8 %", "14.5",
        "35986\n\u00d72.62",
    ]  # fmt: skip
    shared = next(row for name, row in rows.items() if name.split() == ["2", "threads", "shared"])
    assert shared[3] == "this machine cannot show it\nwith 2 threads, server and load generator share CPUs"
    page.evaluate("document.querySelector('#table-standard-library-excluded').open = true")
    absent = page.evaluate("[...document.querySelectorAll('#table-standard-library-excluded tbody tr')]"
                           ".map(row => [...row.cells].map(cell => cell.innerText.trim()))")  # fmt: skip
    assert [
        "3 threads --gc:markandsweep", "not run 3 threads are not in this machine's profile (threads 1, 2)",
        "87040\n\u00d76.33",
    ] in absent  # fmt: skip


def test_details_are_one_click_away_and_need_no_script(browser: Chromium, url: str) -> None:
    """Six columns by default; all others, the command lines and what the verdicts rest on behind a switch."""
    page = browser.open("about:blank")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.go(url)
    heads = "[...document.querySelectorAll('#table-persistent thead [data-c]')].filter(e => e.checkVisibility()).length"
    command = "document.querySelector('#table-persistent .command').checkVisibility()"
    before = page.evaluate(f"[{heads}, {command}]")
    page.evaluate("document.querySelector('#table-persistent .more').click()")

    assert before == [6, False]
    assert page.evaluate(f"[{heads} > 15, {command}]") == [True, True]


def test_nothing_is_asked_for_and_nothing_is_complained_about(browser: Chromium, url: str) -> None:
    """One request, for the file itself; the policy lets its script run and breaks nothing."""
    page = browser.open(url)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert page.requests == [url]
    assert page.complaints == []
    assert page.evaluate("document.querySelectorAll('.controls').length") == 1


def test_the_policy_stops_any_other_script(browser: Chromium, url: str, tmp_path: Path) -> None:
    """One that got into the page is not run, neither as an element nor as an attribute."""
    text = (ROOT / "templates" / "report.js").read_text(encoding="utf-8")
    report = Path(url.removeprefix("file://")).read_text(encoding="utf-8")
    evil = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    (tmp_path / "copy.html").write_text(report.replace("</body>", f"{evil}</body>"), encoding="utf-8")
    page = browser.open((tmp_path / "copy.html").as_uri())

    assert text in report
    assert page.evaluate("document.title") == "Nim HTTP Speedup"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.parametrize("width", [320, 400, 800, 1280])
def test_the_page_fits_its_window(browser: Chromium, url: str, width: int) -> None:
    """Only boxes of their own scroll sideways: the page is as wide as its window, that of a telephone too."""
    page = browser.open(url, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width, width]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_first_chart_is_in_the_window_with_its_answer(
    browser: Chromium, url: str, ten: str, *, many: bool, width: int, height: int
) -> None:
    """Who wins, by how much and how sure, without scrolling, on a telephone too; warnings are a link above it."""
    page = browser.open(ten if many else url, width=width, height=height)
    bottoms = page.evaluate(
        "['.warned', '.said', '.bars'].map(each => document.querySelector(each).getBoundingClientRect().bottom)"
    )

    assert bottoms == sorted(bottoms)
    assert bottoms[-1] < height
    assert page.evaluate("document.querySelectorAll('.warned a').length") == 1
    assert page.evaluate("document.querySelector('.whisker').getBoundingClientRect().width") >= 2


def test_ties_doubts_and_rows_without_a_bar_can_be_told_apart(browser: Chromium, ten: str) -> None:
    """A tie is bracketed, what is not resolved is pale and says so, an excluded row has its reason in the fold."""
    page = browser.open(ten)
    bars = page.evaluate("""[...document.querySelectorAll('.bars li')].map(each => [
        ...['.name', '.value'].map(part => each.querySelector(part).innerText.replace(/\\s+/g, ' ').trim()),
        getComputedStyle(each.querySelector('.bar')).backgroundColor,
    ])""")
    found = {name: (value, colour) for name, value, colour in bars}

    assert [name for name, _, _ in bars[:5]] == ["1 sevenfold", "2 fourfold", "3 thrice", "4= twice", "4= twice_too"]
    assert shown(page, ".bars .same") >= 1
    assert found["1 sevenfold"][0].startswith("7.00\u00d7")
    restless = next(each for name, each in found.items() if name.endswith("restless"))
    assert "not resolved: about " in restless[0]
    assert restless[1] != found["1 sevenfold"][1]
    assert page.evaluate("document.querySelector('.warned').innerText.trim()").startswith("1 error, 2 warnings, ")
    page.evaluate("document.querySelector('#table-speed-without').open = true")
    assert "its compiler is missing: missing" in page.evaluate(
        "document.querySelector('#table-speed-without').innerText"
    )


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_columns_of_text_can_be_read(browser: Chromium, url: str, width: int) -> None:
    """No line of text has more than 85 characters, however wide the window; small print neither."""
    page = browser.open(url, width=width)
    widths = page.evaluate("""[...document.querySelectorAll('main p, .notices li span, .findings li')].map(each => {
        if (!each.checkVisibility() || each.matches('.unseen')) return 0;
        const line = document.createElement('i');
        line.textContent = 'n'.repeat(100);
        line.style.cssText = 'position: absolute; white-space: nowrap; font-style: inherit';
        each.append(line);
        const character = line.getBoundingClientRect().width / 100;
        line.remove();
        return each.getBoundingClientRect().width / character;
    })""")

    assert 30 < max(widths) <= 85


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_follows_the_colour_scheme(
    browser: Chromium, url: str, tmp_path: Path, scheme: str, width: int
) -> None:
    """The picture's corner is bright in light mode, dark in dark mode."""
    browser.open(url, width=width, scheme=scheme).picture(tmp_path / "report.png")

    brightness = float(imread(tmp_path / "report.png")[5, 5, :3].mean())
    assert (brightness > 0.9) if scheme == "light" else (brightness < 0.2)


def test_print_unfolds_everything_and_leaves_the_controls_out(browser: Chromium, url: str, tmp_path: Path) -> None:
    """Light, whatever the screen was; folds are closed again afterwards."""
    page = browser.open(url, scheme="dark", media="print")
    open_before = page.evaluate("document.querySelectorAll('details[open]').length")
    unfolded = page.evaluate("""(() => {
        dispatchEvent(new Event('beforeprint'));
        const closed = document.querySelectorAll('details:not([open])').length;
        dispatchEvent(new Event('afterprint'));
        return closed;
    })()""")
    page.pdf(tmp_path / "report.pdf")

    assert unfolded == 0
    assert page.evaluate("document.querySelectorAll('details[open]').length") == open_before
    assert shown(page, ".controls, .tools, nav, .more") == 0
    assert shown(page, "[data-c=rank], [data-c=decided], .table .command") > 10
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_without_a_script_everything_is_there_but_the_controls(browser: Chromium, url: str) -> None:
    """Tables, plots and folds need none."""
    page = browser.open("about:blank")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.go(url)

    assert shown(page, ".controls, .tools, th button") == 0
    assert shown(page, "table[data-name]") > 5
    assert shown(page, "svg.plot") > 1
    assert shown(page, ".bars .bar") > 5


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_axe_finds_no_barrier(browser: Chromium, url: str, scheme: str, width: int) -> None:
    """With folds open, another baseline, rows filtered, a column sorted; of the cells, which are alike, two."""
    page = browser.open(f"{url}#&language=Nim&sort.table-persistent=rate+down", width=width, scheme=scheme)
    page.evaluate("[...document.querySelectorAll('.cell')].slice(2).forEach(each => each.remove())")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate("""(() => {
        const choice = document.querySelector('#table-persistent .tools select');
        choice.selectedIndex = 1;
        choice.onchange();
    })()""")

    assert violations(page) == []


def test_axe_finds_no_barrier_in_an_index(browser: Chromium, tmp_path: Path) -> None:
    """With plots over time and machines side by side; it fits a telephone and asks for nothing."""
    head, trials, logs = example_run(12, threads=(1,))
    for name, machine in (("a", "laptop"), ("b", "server"), ("c", "server")):
        named = dataclasses.replace(head, machine_title=machine, started_at=f"2026-01-0{ord(name) - 96}T00:00:00Z")
        write_as([write_folder(tmp_path / name, named, trials, logs)], "html")
    page = browser.open(write_index(tmp_path, lambda _line: None).as_uri(), width=390)

    assert shown(page, "svg.plot") > 1
    assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    assert len(page.requests) == 1
    assert page.complaints == []
    assert violations(page) == []


def test_axe_finds_no_barrier_where_runs_of_two_machines_stand_in_one_file(browser: Chromium, tmp_path: Path) -> None:
    """Every landmark has a name of its own."""
    here, there = (write_example(tmp_path / name, 1, threads=(1,)) for name in ("here", "there"))
    page = browser.open(write_as([here, there], "html").as_uri())
    page.evaluate("document.querySelectorAll('.cell').forEach(each => each.remove())")

    assert shown(page, "#machines table") > 1
    assert page.complaints == []
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, a line for each rule with the first places."""
    page.evaluate((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + "; 0")
    text = page.evaluate("axe.run().then(found => JSON.stringify(found.violations))")
    found: list[dict[str, Any]] = json.loads(text)
    return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}" for each in found]


def shown(page: Page, selector: str) -> int:
    """Return how many elements are shown."""
    count: int = page.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector)})].filter(each => each.checkVisibility()).length"
    )
    return count
