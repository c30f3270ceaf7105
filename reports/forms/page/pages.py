"""What all HTML pages share: how templates are filled in, and the style sheet.

All text is escaped by Jinja and cleaned of control characters; only our own SVG and style sheet are trusted.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.claims.paced import PERCENTILES
from reports.forms.page.filters import ABSENT, FILTERS
from reports.plots.curves import MOST_LINES
from reports.view.words import clean
from runners.resources import root

MOST_BARS = 8  # of a table on the first screen, so that the first chart fits a telephone's window
MOST_MORE_BARS = 20  # with those that a click unfolds; the table has all rows


@cache
def environment() -> Environment:
    """Return Jinja's environment: everything is escaped, an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(root() / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(
        absent=ABSENT,
        most_lines=MOST_LINES,
        most_bars=MOST_BARS,
        most_more_bars=MOST_MORE_BARS,
        percentiles=PERCENTILES,
    )
    return made


def _visible(value: object) -> object:
    """Show the control characters of every string that a template prints; our own markup is left alone."""
    return clean(value) if type(value) is str else value


@cache
def style_sheet() -> Markup:
    """Return the style sheet for the head of a page."""
    text = (root() / "templates" / "report.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file
