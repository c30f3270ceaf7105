#!/usr/bin/env python3
"""Takes a picture of a run's report, as the README shows one: `python docs/picture.py RUN_FOLDER`.

The report is written anew, redacted, so that the picture is of today's page and tells nobody whose machine it was. It
shows what a window of that size shows, light or dark; nothing is touched up. Needs Chromium, which `python -m speedup
doctor --install --for tests` installs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reports.forms.writing import write_as
from runners.errors import SpeedupError
from tests.integration.chromium import BROWSER, Chromium

DOCS = Path(__file__).resolve().parent
PICTURES = {"light": DOCS / "report.png", "dark": DOCS / "report-dark.png"}


@dataclass(frozen=True)
class View:
    """What of a page is seen: a window's width and height, how far it is scrolled down, its colour scheme."""

    width: int = 1200
    height: int = 900
    top: int = 0
    scheme: str = "light"


def take(page: Path, picture: Path, view: View) -> None:
    """Draw a page into a PNG file; OSError, RuntimeError or TimeoutError if the browser does not."""
    with tempfile.TemporaryDirectory(prefix="picture-") as profile, Chromium(Path(profile)) as browser:
        shown = browser.open(page.resolve().as_uri(), width=view.width, height=view.height, scheme=view.scheme)
        shown.evaluate(f"document.fonts.ready.then(() => scrollTo(0, {view.top}))")
        shown.picture(picture)


def main(argv: Sequence[str] | None = None) -> int:
    """Take one picture and print where it lies."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="the run whose report is drawn")
    parser.add_argument("picture", type=Path, nargs="?", metavar="FILE", help="default: the README's")
    parser.add_argument("--scheme", choices=list(PICTURES), default="light", help="default: %(default)s")
    for name, meaning in (("width", "of the window"), ("height", "of the window"), ("top", "where to begin")):
        default = getattr(View, name)
        parser.add_argument(f"--{name}", type=int, default=default, metavar="PIXELS", help=f"{meaning} ({default})")
    arguments = parser.parse_args(argv)
    if BROWSER is None:
        parser.exit(1, "picture: Chromium is missing: python -m speedup doctor --install --for tests\n")
    picture = arguments.picture or PICTURES[arguments.scheme]
    view = View(arguments.width, arguments.height, arguments.top, arguments.scheme)
    with tempfile.TemporaryDirectory(prefix="picture-") as folder:
        try:
            take(write_as([arguments.run], "html", Path(folder) / "report.html", redact=True), picture, view)
        except (SpeedupError, OSError, RuntimeError, TimeoutError) as error:
            parser.exit(1, f"picture: {error}\n")
    sys.stdout.write(f"{picture}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
