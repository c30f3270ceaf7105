"""How the templates write numbers and names: Jinja's filters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from reports.claims.verdicts import verdict_interval, verdict_words
from reports.forms.summary import pace_of
from reports.trust.notices import Notice
from reports.view.families import blocks_line, blocks_note, noise_line
from reports.view.names import cell_name, load_name, timed_from
from reports.view.words import clean, digits, needs
from runners.stats.statistics import Estimate, Interval
from runners.units import plural

ABSENT = "\u2013"  # an en dash: not known
SIGNS = {
    "faster": "\u25b2",
    "slower": "\u25bc",
    "cheaper": "\u25bc",
    "costlier": "\u25b2",
    "equivalent": "\u2248",
    "not resolved": "?",
}


def grouped(value: float | None) -> Markup | str:
    """Return a whole number whose thousands are set apart by style only, so that it is copied as plain digits."""
    if value is None or not math.isfinite(value):
        return ABSENT
    shown = f"{value:.0f}"
    head = len(shown) % 3 or 3
    groups = [shown[start : start + 3] for start in range(head, len(shown), 3)]
    return Markup(shown[:head] + "".join(f'<span class="k">{group}</span>' for group in groups))  # noqa: S704 - digits


def breakable(slug: str) -> Markup:
    """Return a slug that may break behind each slash."""
    return Markup("/<wbr>").join(clean(slug).split("/"))


def fixed(value: float | None, places: int = 2) -> str:
    """Return a number with so many decimals."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def sortable(value: Estimate | float | None) -> Markup | str:
    """Return the attribute from which the page's script takes a cell's number; empty for what is not known."""
    number = value.value if isinstance(value, Estimate) else value
    if number is None or not math.isfinite(number):
        return ""
    return Markup(f' data-v="{number:.7g}"')  # noqa: S704 - digits


def share(value: float | None) -> str:
    """Return a fraction in percent."""
    return ABSENT if value is None else f"{value * 100:.0f}"


def mib(value_bytes: float | None) -> str:
    """Return bytes in MiB."""
    return ABSENT if value_bytes is None else f"{value_bytes / 2**20:.1f}"


def ms(value_us: float | None) -> str:
    """Return microseconds in milliseconds."""
    return ABSENT if value_us is None else f"{value_us / 1000:.2f}"


def _scaled(interval: Interval, unit: float) -> str:
    return f"{interval.low / unit:.1f}\u2013{interval.high / unit:.1f}"


def between_ms(interval: Interval) -> str:
    """Return an interval of microseconds in milliseconds."""
    return _scaled(interval, 1000)


def between_kib(interval: Interval) -> str:
    """Return an interval of bytes in KiB."""
    return _scaled(interval, 2**10)


def between_mib(interval: Interval) -> str:
    """Return an interval of bytes in MiB."""
    return _scaled(interval, 2**20)


def between(pair: tuple[float, float] | Interval | None, places: int = 0) -> Markup | str:
    """Return "low-high" with an en dash; whole numbers are grouped."""
    if pair is None:
        return ""
    low, high = (pair.low, pair.high) if isinstance(pair, Interval) else pair
    if places:
        return f"{low:.{places}f}\u2013{high:.{places}f}"
    return Markup(f"{grouped(low)}\u2013{grouped(high)}")  # noqa: S704 - digits


def counted(notices: Sequence[Notice]) -> str:
    """Return how many notices there are of each kind: "1 error, 2 warnings"."""
    kinds = Counter(notice.kind for notice in notices)
    return ", ".join(plural(kinds[kind], kind) for kind in ("error", "warning", "note") if kinds[kind])


def factor(value: float) -> str:
    """Return a multiple with as many digits as a reader compares: "6.23", "41.5", "120"."""
    return f"{value:.{2 if value < 20 else 1 if value < 100 else 0}f}"


def width(value: float, longest: float, places: int = 2) -> str:
    """Return a part of the longest bar, in percent for CSS."""
    return f"{max(0.0, value / longest) * 100:.{places}f}%" if longest > 0 and math.isfinite(value) else "0%"


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    grouped, breakable, fixed, sortable, share, mib, ms, between, between_ms, between_kib, between_mib, plural, digits,
    needs, cell_name, load_name, timed_from, blocks_note, blocks_line, noise_line, counted, factor, width, pace_of,
    verdict_words, verdict_interval,
)  # fmt: skip
FILTERS: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in FUNCTIONS},
    "sign": SIGNS.__getitem__,
}
