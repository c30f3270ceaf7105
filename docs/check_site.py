#!/usr/bin/env python3
"""Checks a site that Sphinx has built: `python docs/check_site.py build/docs`.

A link inside the site must lead to a file, and to an anchor in it. A link that leaves it must be a complete https
address; nobody is asked whether it answers, since a build needs no network. Nothing may be loaded from another host.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = ("src", "srcset", "data", "poster", "background")  # attributes that make a browser load something
IN_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?([^"')\s;]+)""")
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what a browser loads to show it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the parser."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what matters of a tag."""
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value or "")
            elif name == "href":
                (self.loads if tag == "link" else self.links).append(value or "")
            elif name in LOADED:
                self.loads.append(value or "")
            elif name == "style":
                self.loads += IN_CSS.findall(value or "")


def is_complete(address: str) -> bool:
    """Return whether an address that leaves the site has the form of one: https, a host with a domain, no spaces."""
    parts = urlsplit(address)
    return parts.scheme == "https" and bool(HOST.fullmatch(parts.netloc)) and not re.search(r"\s", address)


def is_elsewhere(address: str) -> bool:
    """Return whether an address names a host or a scheme, except data that is in the page itself."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with a site, a line each, with the file in which it stands."""
    pages = {path.resolve(): _parsed(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no page"
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        yield from (f"{name}: loads {address}" for address in page.loads if is_elsewhere(address))
        yield from (f"{name}: {wrong}" for link in page.links if (wrong := _wrong_link(link, path, pages)))
    for sheet in sorted(site.rglob("*.css")):
        loaded = IN_CSS.findall(sheet.read_text(encoding="utf-8"))
        yield from (f"{sheet.relative_to(site)}: loads {address}" for address in loaded if is_elsewhere(address))


def _parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _wrong_link(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    """Return what is wrong with a link of a page; None where it leads somewhere."""
    if is_elsewhere(link):
        return None if is_complete(link) else f"{link} is not a complete https address"
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"{link} leads to no file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"{link} leads to no anchor"
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is wrong; exit 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, metavar="FOLDER", help="what Sphinx has written")
    found = list(problems(parser.parse_args(argv).site))
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
