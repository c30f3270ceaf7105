"""Settings of Sphinx, which builds the site from these pages: `nox -s docs`.

The pages are plain Markdown, so that they read well in a repository too. Sphinx wants each page in a `toctree`; ours
are made from the list of all pages in index.md, whose headings and order are the site's navigation.
"""

from __future__ import annotations

import re
from typing import Any

project = "http-speedup"
extensions = ["myst_parser"]
exclude_patterns = ["*.py", "*.json"]
nitpicky = True

myst_heading_anchors = 4  # what make_reference.py and the pages link to

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_permalinks_icon = "#"
smartquotes = False  # it makes a dash of the two hyphens of an option

SECTION = re.compile(r"^### (?P<caption>.+)\n\n(?P<pages>(?:(?:- |  ).*\n)+)", re.MULTILINE)
PAGE = re.compile(r"^- \[[^\]]*\]\(([^)]+)\.md\)", re.MULTILINE)


def navigation(index: str) -> dict[str, list[str]]:
    """Return the pages that an index lists, by the heading above them."""
    return {section["caption"]: PAGE.findall(section["pages"]) for section in SECTION.finditer(index)}


def add_navigation(_app: Any, name: str, source: list[str]) -> None:
    """Append to the index what Sphinx takes the navigation from."""
    if name == "index":
        for caption, pages in navigation(source[0]).items():
            lines = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"


def setup(app: Any) -> None:
    """Let Sphinx call us after it has read a page."""
    app.connect("source-read", add_navigation)
