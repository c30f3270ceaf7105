"""What a reader calls a cell, a row, a family and a load generator. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runners.records.run import CellInfo
from runners.units import plural

UNKNOWN = "unknown"  # the load generator of a cell of which nobody told it
LOADS = {"locust": "Locust", "fleet": "the fleet's wrk"}  # others are called by their program's name
TIMED = {"locust": "from the call, including connecting"}  # Locust times the call; the others what they write


def with_server(title: str, server: str, key: str) -> str:
    """Return the title of a row or a variant with its server's name in front, unless it has that in it.

    "initial state" of asynchttp is "asynchttp, initial state"; `key` is the server's name in the matrix.
    """
    said = _plain(title)
    if _plain(server) in said or _plain(key) in said:
        return title
    return f"{server} {title}" if title.startswith(("(", "-", "with ", "without ")) else f"{server}, {title}"


def _plain(name: str) -> str:
    return name.replace("_", " ").casefold()


def cell_name(cell: CellInfo) -> str:
    """Return a cell's title with its threads if it has several."""
    return f"{cell.title} ({cell.threads} threads)" if cell.threads > 1 else cell.title


def load_name(load: str) -> str:
    """Return the name of a load generator."""
    return LOADS.get(load, load)


def timed_from(load: str) -> str:
    """Return from when on a load generator counts the time of a request."""
    return TIMED.get(load, "from the first write, without connecting")


def differences(cell: CellInfo, cells: Iterable[CellInfo], *, but: Sequence[str] = ()) -> str:
    """Return in what a cell differs from others of its title: threads, connections, load; without those in `but`."""
    cells = tuple(cells)
    words = {
        "threads": plural(cell.threads, "thread") if cell.threads else "threads unknown",
        "connections": plural(cell.connections, "connection") if cell.connections else "connections unknown",
        "load": load_name(cell.load) if cell.load != UNKNOWN else "load generator unknown",
        "request": f"request {cell.request}" if cell.request else "request without a name",
    }
    differ = (name for name in words if name not in but and len({getattr(other, name) for other in cells}) > 1)
    return ", ".join(words[name] for name in differ)


def family_name(threads: int, connections: int, mode: str) -> str:
    """Return what all cells of a family have in common."""
    return f"{plural(threads, 'thread')}, {connections} {mode} connections"
