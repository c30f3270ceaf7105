"""The documentation's site: what its index lists, and what is noticed about its links and what it loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import check_site, conf
from tests.support import ROOT

DOCS = ROOT / "docs"
KINDS = {"Tutorial": "tutorial", "How-to guides": "how-to", "Reference": "reference", "Explanation": "explanation"}
SHEETS = '<link rel="stylesheet" href="_static/furo.css">'


def listed() -> dict[str, list[str]]:
    """Return the pages that the index lists, by heading."""
    return conf.navigation((DOCS / "index.md").read_text(encoding="utf-8"))


def test_the_index_lists_every_page_once_under_its_kind() -> None:
    """The four kinds are the folders; the navigation is made from this list."""
    pages = {
        caption: sorted(f"{folder}/{page.stem}" for page in (DOCS / folder).glob("*.md"))
        for caption, folder in KINDS.items()
    }
    assert {caption: sorted(names) for caption, names in listed().items()} == pages


def test_a_page_s_navigation_is_appended_to_the_index_only() -> None:
    """Repository browsers, which show the file itself, show no directive."""
    index, page = ["### Tutorial\n\n- [One](tutorial/one.md): first\n- [Two](tutorial/two.md)\n"], ["text"]
    conf.add_navigation(None, "index", index)
    conf.add_navigation(None, "tutorial/one", page)
    assert index[0].endswith("```{toctree}\n:hidden:\n:caption: Tutorial\n\ntutorial/one\ntutorial/two\n```\n")
    assert page == ["text"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a small site without a fault."""
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static/furo.css").write_text("p { background: url(data:image/svg+xml;utf8,x) }", encoding="utf-8")
    (tmp_path / "other.html").write_text(f'{SHEETS}<h1 id="top">Other</h1>', encoding="utf-8")
    write(tmp_path, '<a href="other.html#top">up</a> <a href="#here">here</a> <a href="https://docs.locust.io">L</a>')
    return tmp_path


def write(site: Path, body: str) -> None:
    """Give a site's index a body."""
    (site / "index.html").write_text(f'{SHEETS}<p id="here">{body}</p>', encoding="utf-8")


def test_a_site_whose_links_lead_somewhere_has_no_problems(site: Path) -> None:
    """Nor is the network asked."""
    assert list(check_site.problems(site)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">x</a>', "index.html: gone.html leads to no file"),
        ('<a href="_static/">x</a>', "index.html: _static/ leads to no file"),
        ('<a href="other.html#gone">x</a>', "index.html: other.html#gone leads to no anchor"),
        ('<a href="#gone">x</a>', "index.html: #gone leads to no anchor"),
        ('<a href="http://docs.locust.io">x</a>', "index.html: http://docs.locust.io is not a complete https address"),
        ('<a href="https://docs">x</a>', "index.html: https://docs is not a complete https address"),
        ('<img src="https://a.example/x.png">', "index.html: loads https://a.example/x.png"),
        ('<script src="//a.example/x.js"></script>', "index.html: loads //a.example/x.js"),
        ('<link rel="preconnect" href="https://a.example">', "index.html: loads https://a.example"),
        ('<i style="background:url(https://a.example/x)"></i>', "index.html: loads https://a.example/x"),
    ],
)
def test_a_link_to_nothing_or_a_load_from_elsewhere_is_named(site: Path, body: str, problem: str) -> None:
    """With the page on which it stands."""
    write(site, body)
    assert list(check_site.problems(site)) == [problem]


def test_a_style_sheet_that_loads_from_another_host_is_named(site: Path) -> None:
    """Fonts usually come that way."""
    (site / "_static/furo.css").write_text('@import "https://fonts.example/inter.css";', encoding="utf-8")
    assert list(check_site.problems(site)) == ["_static/furo.css: loads https://fonts.example/inter.css"]


def test_an_empty_folder_is_not_a_good_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A build that wrote nothing must not pass."""
    assert check_site.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path}: no page\n"
