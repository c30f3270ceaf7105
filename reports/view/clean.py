"""Text from servers, tools and matrices made harmless to look at: what is invisible becomes visible.

Pure. HTML's own characters are left alone: escaping is the template's work. Control characters (an ANSI escape, a
backspace) and those that reorder text would change how a page reads, so their pictures or codes stand instead.
"""

from __future__ import annotations

import re

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(text: str, keep: str = "\n\t") -> str:
    """Return text in which only the control characters in `keep` are left as they are."""
    return _INVISIBLE.sub(lambda match: match[0] if match[0] in keep else _picture(match[0]), text)


def _picture(character: str) -> str:
    """Return a control picture for ASCII controls (ESC is ␛), a code such as <U+202E> for all others."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def clipped(text: str, width: int) -> str:
    """Return text of at most `width` characters, with an ellipsis where it was longer."""
    return text if len(text) <= width else f"{text[: width - 1]}\u2026"
