"""How text and numbers are written in every form of a report: harmless, short, with their plurals. Pure.

Text comes from servers, tools and matrices, and may hold anything. Control characters (an ANSI escape, a backspace)
and those that reorder text would change how a page reads, so a picture or a code stands in for each. HTML's own
characters are left alone: the templates escape them.
"""

from __future__ import annotations

import re

from runners.stats.statistics import Judgement
from runners.units import format_duration, plural

MOST_BLOCKS = 500  # nobody measures more than that; the machine has to be made quieter
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(text: str, keep: str = "\n\t") -> str:
    """Return text with every control character but those in `keep` made visible."""
    return _INVISIBLE.sub(lambda match: match[0] if match[0] in keep else _picture(match[0]), text)


def _picture(character: str) -> str:
    """Return a control picture for ASCII controls (ESC is ␛), a code such as <U+202E> for all others."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def one_line(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())


def clipped(text: str, width: int) -> str:
    """Return text of at most `width` characters, with an ellipsis where it was longer."""
    return text if len(text) <= width else f"{text[: width - 1]}\u2026"


def percent(share: float) -> str:
    """Return a share in percent with two significant digits, never in powers of ten."""
    return f"{share * 100:.2g}" if share < 0.995 else f"{share * 100:.0f}"


def level_text(level: float) -> str:
    """Return a confidence level in percent."""
    return f"{level * 100:.3g} %"


def digits(ratio: float) -> int:
    """Return how many decimals a ratio needs, so that small ones still tell their intervals' ends apart."""
    return 2 if ratio >= 0.5 else 3


def needs(judgement: Judgement | None, block_s: float | None = None) -> str:
    """Return how many more blocks would resolve a ratio, and how long they take; empty if it is final or unknown."""
    more = judgement.more_blocks if judgement else None
    if more is None:
        return ""
    if more > MOST_BLOCKS:
        return f"too noisy: over {MOST_BLOCKS} more blocks"
    more = more if more < 100 else -(-more // 10) * 10
    spent = f" ({format_duration(more * block_s)})" if block_s else ""
    return f"about {plural(more, 'more block')}{spent} would resolve it"
