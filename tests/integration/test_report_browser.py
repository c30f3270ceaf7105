"""The report in a real browser: what its tables hold once laid out, and whether it fits the window."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread

from reports.html import write_report
from tests.unit.example_run import write_example

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DARK, LIGHT = "--blink-settings=preferredColorScheme=0", "--blink-settings=preferredColorScheme=1"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


def browse(page: Path, profile: Path, *options: str) -> str:
    """Open a page in a browser without a window and return what it printed."""
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        "--virtual-time-budget=2000", f"--user-data-dir={profile}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


class Rows(HTMLParser):
    """Collects the cells of every table row as text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell."""
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th") or (self.inside and tag != "tr")
        if tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "small" and self.inside:
            self.rows[-1][-1] += "|"

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data: str) -> None:
        """Add text to the cell."""
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the synthetic run's report."""
    return write_report(write_example(tmp_path_factory.mktemp("browser") / "run"))


@pytest.fixture(scope="module")
def dom(page: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page as the browser understood it."""
    return browse(page, tmp_path_factory.mktemp("profile"), "--dump-dom")


def section(dom: str, name: str) -> Iterator[list[str]]:
    """Yield the rows of the tables in one section."""
    start = dom.index(f'<section id="{name}"')
    parser = Rows()
    parser.feed(dom[start : dom.index("</section>", start)])
    yield from parser.rows


def test_the_browser_shows_the_tables_cells(dom: str) -> None:
    """Number, spread, ratio, verdict and published number of a row, as laid out."""
    rows: dict[str, list[str]] = {}
    for row in section(dom, "table-standard-library"):
        rows.setdefault(row[0], row)  # the table of CPU times comes second

    row = rows["with --gc:markandsweep"]
    assert row[1:5] == ["1", "17029|16775\u201317479", "1.21|1.17\u20131.26", "\u25b2 faster"]
    assert row[8:10] == ["0.841|0.832\u20130.853", "\u25bc cheaper|6 blocks"]
    assert row[-2:] == ["35986", "2.62"]
    assert rows["3 threads --gc:markandsweep"][1:] == [
        "not run 3 threads are not in this machine's profile (threads 1, 2)",
        "",
        "",
        "87040",
        "6.33",
    ]
    assert rows["2 threads shared"][4] == "not ranked|only one of the two shared CPUs with the load generator"


def test_the_browser_keeps_the_policy_and_the_plots(dom: str) -> None:
    """The parser moved nothing: the policy is in the head, each plot is one image with its words."""
    head = dom[: dom.index("</head>")]

    assert "default-src 'none'" in html.unescape(head)
    assert len(re.findall(r'<svg class="plot"[^>]*role="img"', dom)) == 7
    assert "<script" not in dom


TELLS = "<script>parent.postMessage(innerWidth + ' ' + document.documentElement.scrollWidth, '*')</script></body>"
ASKS = "<script>onmessage = event => { document.title = event.data }</script>"


@pytest.mark.parametrize("width", [320, 400, 800, 1280])
def test_the_page_fits_its_window(page: Path, tmp_path: Path, width: int) -> None:
    """Only boxes of their own scroll sideways: the page is as wide as its window, that of a telephone too.

    A browser's window cannot be so narrow, but a frame can; the report holds no script, so a copy with one tells.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    (tmp_path / "copy.html").write_text(text.replace("</body>", TELLS), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(f'{ASKS}<iframe src="copy.html" width="{width}" height="900" frameborder="0"></iframe>')

    dom = browse(frame, tmp_path / "profile", "--window-size=1400,900", "--dump-dom")

    found = re.search(r"<title>(\d+) (\d+)</title>", dom)
    assert found is not None
    assert (int(found[1]), int(found[2])) == (width, width)


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize(("name", "scheme"), [("light", LIGHT), ("dark", DARK)])
def test_screenshots_differ_by_colour_scheme(page: Path, tmp_path: Path, name: str, scheme: str, width: int) -> None:
    """The picture's corner is paper: bright in light mode, dark in dark mode."""
    picture = tmp_path / f"report-{name}-{width}.png"
    browse(page, tmp_path / "profile", scheme, f"--window-size={width},1200", f"--screenshot={picture}")

    brightness = float(imread(picture)[5, 5, :3].mean())
    assert (brightness > 0.9) if name == "light" else (brightness < 0.2)
