"""Writes a first matrix.toml for your own servers: `speedup init`, and `speedup run --server`."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from runners import resources
from runners.errors import BadInput
from runners.matrix.model import MODES, Mode
from runners.matrix.quantities import NAME, sendable
from runners.matrix.requests.request import Expect
from runners.matrix.starter.learned import USUAL_CONNECTIONS, Launch, Learned
from runners.matrix.starter.toml import toml_text, toml_value

TEMPLATE = Path(__file__).with_name("starter.toml")
MATRIX = "matrix.toml"
RULER, RULER_ANSWER = "floor", "answer"
LONGEST_RULER_BODY = 16384  # LONGEST_BODY of its source
LONGEST_RULER_TYPE = 128
ANSWERS_IN_A_WINDOW = 10  # at least, one after another
SLOW_START_S, PATIENCE, USUAL_PATIENCE_S = 10.0, 3, 60
TO_FILL_IN = """\
unavailable = "its start command is missing: see [server.@name@] in matrix.toml" # remove this line
run = ["./server", "--host={host}", "--port={port}"] # and put its start command here
# if it reads the port from the environment: env = { PORT = "{port}" }; if it always listens on 3000: port = 3000"""
ABOUT_RULER = "# A ruler: the least that an answer can cost here. It sends servers/floor/answer to whatever is asked."
DUET = 'design = "duet" # also measured at the same moment as the first row: the sharpest comparison of CPU cost'
VARIANT = """
# Another way to build or start it gets its own row.
# [server.@name@.variant.tuned]
# env = { SOME_SETTING = "1" }
"""


@dataclass(frozen=True)
class Row:
    """A server of the matrix: its name, the name that a reader knows, and how it starts, None if that is unknown.

    `dir` is the folder that it starts in, `config` the template of its config file there.
    """

    name: str
    title: str
    launch: Launch | None
    dir: str = "."
    config: str | None = None


@dataclass(frozen=True)
class Starter:
    """What to write: the servers, and what is known of their answers; with a ruler beside them or not."""

    rows: tuple[Row, ...]
    learned: Learned
    ruler: bool = True

    @property
    def why_no_ruler(self) -> str | None:
        """Return why the ruler cannot answer what the servers do; None if it can."""
        if self.learned.status != 200:
            return f"it answers only status 200, not {self.learned.status}"
        if len(self.learned.bodies[0]) > LONGEST_RULER_BODY:
            return f"it answers at most {LONGEST_RULER_BODY} bytes, not {len(self.learned.bodies[0])}"
        return None

    @property
    def has_ruler(self) -> bool:
        """Return whether the ruler stands beside the servers."""
        return self.ruler and self.why_no_ruler is None


def unlearned(path: str, body: str) -> Learned:
    """Return what is assumed of a server that nobody has asked."""
    sample = body.encode("utf-8", "surrogateescape")
    return Learned(path, 200, "text/plain", (sample,), MODES, USUAL_CONNECTIONS, 0.0, body=body)


def check_new(folder: Path) -> None:
    """Raise BadInput if there is something already that would be overwritten."""
    for path in _made(folder):
        if path.exists():
            raise BadInput(f"{path} exists already; nothing was written")


def check_path(path: str) -> None:
    """Raise BadInput unless a request may ask for it."""
    try:
        sendable(path)
    except ValueError as error:
        raise BadInput(f"--path: {error}") from error


def check_name(name: str) -> None:
    """Raise BadInput unless a server may be called so."""
    if re.fullmatch(NAME, name) is None:
        raise BadInput(f"'{name}' is not a valid name; use a-z, 0-9, - and _, as in --name my-server")


def _made(folder: Path) -> tuple[Path, Path]:
    return folder / MATRIX, folder / "servers" / RULER


def write_starter(folder: Path, starter: Starter) -> tuple[Path, ...]:
    """Write matrix.toml, and the ruler's sources and answer, into a folder; BadInput if one of them exists already."""
    check_new(folder)
    text = starter_matrix(starter)
    matrix, ruler = _made(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if starter.has_ruler:
            shutil.copytree(resources.root() / "servers" / RULER, ruler)
            (ruler / RULER_ANSWER).write_bytes(starter.learned.bodies[0])
        with matrix.open("x", encoding="utf-8") as stream:  # a link that leads nowhere yet is not followed
            stream.write(text)
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}; name another folder") from error
    return (matrix, ruler) if starter.has_ruler else (matrix,)


def starter_matrix(starter: Starter) -> str:
    """Return the text of a matrix.toml; BadInput if a name cannot be used."""
    for row in starter.rows:
        check_name(row.name)
    check_path(starter.learned.path)
    learned, rows = starter.learned, [row.name for row in starter.rows]
    window_s = ANSWERS_IN_A_WINDOW * learned.took_s
    filled = {
        "title": toml_text(", ".join(row.title for row in starter.rows)),
        "modes": toml_value(learned.modes),
        "modes_note": "" if len(learned.modes) > 1 else f" # {_only(learned.modes[0])}",
        "asked": asked_for(learned),
        "duration": f"{max(1, math.ceil(window_s))}s",
        "duet": f"{max(200, math.ceil(1000 * window_s))}ms",
        "long": f"{max(5, math.ceil(window_s))}s",
        "threads": "[1, 2]" if _takes_threads(starter) else "[1]",
        "connections": str(learned.connections),
        "connections_note": f" # {learned.why_no_more}" if learned.why_no_more else "",
        "servers": "\n".join(_server(row, learned) for row in starter.rows),
        "ruler": _ruler(starter),
        "tables": "\n".join(_tables(learned.modes, [*rows, *([RULER] if starter.has_ruler else [])])),
    }
    template = TEMPLATE.read_text(encoding="utf-8").rstrip()
    return re.sub("@([a-z_]+)@", lambda match: filled[match[1]], template)


def _only(mode: Mode) -> str:
    """Return why the other mode is not measured."""
    if mode == "persistent":
        return 'it does not close on "Connection: close"'
    return "it closes the connection after each answer"


def _takes_threads(starter: Starter) -> bool:
    words = [word for row in starter.rows if row.launch for word in (*row.launch.run, *row.launch.env.values())]
    return any("{threads}" in word for word in words)


def asked_for(learned: Learned) -> str:
    """Return what is asked and expected: the suite's path and body, or a request of its own if that does not do."""
    expect = learned.expect
    if expect.body is not None and expect.status == 200:
        body = f"body = {toml_text(expect.body)} # the exact body that every server here must answer"
        return f"path = {toml_text(learned.path)}\n{body}"
    name = re.sub(r"[^a-z0-9]+", "-", learned.path.lower()).strip("-") or "root"
    return f"""
[request.{name}]
path = {toml_text(learned.path)}
expect = {_expected(expect)} # what every answer had in common when this file was written"""


def _expected(expect: Expect) -> str:
    keys = {"status": expect.status, "body": expect.body, "length": expect.length, "sha256": expect.sha256}
    pairs = [f"{key} = {toml_value(value)}" for key, value in keys.items() if value is not None]
    if expect.json is not None:
        pairs.append(f"json = {toml_value(json.loads(expect.json))}")
    return f"{{ {', '.join(pairs)} }}"


def _server(row: Row, learned: Learned) -> str:
    """Return a server's table, with an example of a variant."""
    lines = [f"[server.{row.name}]"]
    if row.title != row.name:
        lines.append(f"title = {toml_text(row.title)}")
    lines += ['class = "application" # held to nothing but right answers', 'dir = "."']
    lines += [TO_FILL_IN] if row.launch is None else launch_lines(row.launch)
    return "\n".join((*lines, *ready_lines(learned), VARIANT)).replace("@name@", row.name)


def ready_lines(learned: Learned) -> list[str]:
    """Return the key that gives a server more time than usual to start, if it took long."""
    if learned.ready_s <= SLOW_START_S:
        return []
    patience_s = max(USUAL_PATIENCE_S, math.ceil(PATIENCE * learned.ready_s))
    return [f'ready = {{ timeout = "{patience_s}s" }} # it took {learned.ready_s:.0f} s to answer']


def launch_lines(launch: Launch) -> list[str]:
    """Return the keys that say how a server starts."""
    lines = [f"run = {toml_value(launch.run)}"]
    if launch.env:
        lines.append(f"env = {toml_value(launch.env)}")
    if launch.port is not None:
        lines.append(f"port = {launch.port} # it listens there whatever it is told: only one can run at a time,")
        lines.append("# unless each trial has a network of its own (speedup run --network namespace)")
    return lines


def _ruler(starter: Starter) -> str:
    """Return the ruler's table, which answers the same as the servers, or why there is none."""
    if not starter.ruler:
        return ""
    if starter.why_no_ruler is not None:
        return f"# The ruler '{RULER}' is left out: {starter.why_no_ruler}.\n"
    table = ruler_table()
    content = starter.learned.content_type
    extra = [f"{{dir}}/{RULER_ANSWER}", *([content] if content and len(content) <= LONGEST_RULER_TYPE else [])]
    table["run"] = [*table["run"], *extra]
    lines = (f"{key} = {toml_value(value)}" for key, value in table.items())
    return "\n".join((ABOUT_RULER, f"[server.{RULER}]", *lines, ""))


def ruler_table() -> dict[str, Any]:
    """Return the ruler's table from the project's own matrix."""
    text = (resources.root() / MATRIX).read_text(encoding="utf-8")
    return dict(tomli.loads(text)["server"][RULER])


def _tables(modes: tuple[Mode, ...], rows: list[str]) -> Iterator[str]:
    for mode in modes:
        lines = ["[[table]]", f'title = "{mode.capitalize()} connections"', f'mode = "{mode}"']
        if mode == "persistent" and len(rows) > 1:
            lines.append(DUET)
        yield "\n".join((*lines, f"rows = {toml_value(rows)}", ""))


def default_name(folder: Path) -> str:
    """Return a name for the server, derived from a folder's; "server" if nothing of it can be used."""
    return re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_") or "server"
