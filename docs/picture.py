#!/usr/bin/env python3
"""Takes the README's picture of a report: `python docs/picture.py RUN_FOLDER [docs/report.png]`.

Needs Chromium (`speedup doctor --install --for tests` brings it). The picture is what a window of 1200 x 900 shows,
after some scrolling with `--top`; nothing is touched up.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.image import imread, imsave

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PICTURE = Path(__file__).with_name("report.png")
WIDTH, HEIGHT = 1200, 900
DEADLINE_S = 60.0


def command(browser: str, page: str, picture: Path, profile: Path, height: int) -> list[str]:
    """Return the command line that draws a page into a picture, light and without the network."""
    return [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=2000",
        "--blink-settings=preferredColorScheme=1", f"--user-data-dir={profile}",
        f"--window-size={WIDTH},{height}", f"--screenshot={picture}", page,
    ]  # fmt: skip


def take(report: Path, picture: Path, *, top: int = 0, height: int = HEIGHT) -> None:
    """Draw a report from a line of pixels on; RuntimeError where there is no browser or no picture."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError(f"none of {', '.join(BROWSERS)} is on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "report.png"
        argv = command(browser, report.resolve().as_uri(), drawn, Path(folder) / "profile", top + height)
        done = subprocess.run(argv, capture_output=True, timeout=DEADLINE_S, check=False)
        if not drawn.exists():
            raise RuntimeError(f"{browser} drew nothing: {done.stderr.decode(errors='replace')[-500:]}")
        imsave(picture, imread(drawn)[top:])


def main(argv: Sequence[str] | None = None) -> int:
    """Take one picture and print where it lies."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="a run folder with its report.html")
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--top", type=int, default=0, metavar="PIXELS", help="where to begin, default: %(default)s")
    parser.add_argument("--height", type=int, default=HEIGHT, metavar="PIXELS", help="default: %(default)s")
    arguments = parser.parse_args(argv)
    report = arguments.run / "report.html"
    if not report.is_file():
        parser.error(f"{report} does not exist; write it with: python -m speedup report {arguments.run}")
    try:
        take(report, arguments.picture, top=arguments.top, height=arguments.height)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        parser.exit(1, f"picture: {error}\n")
    sys.stdout.write(f"{arguments.picture}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
