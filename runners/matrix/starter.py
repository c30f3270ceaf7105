"""Writes a first matrix.toml for your own server: `speedup init`."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from runners import resources
from runners.errors import BadInput
from runners.matrix.quantities import NAME, sendable

TEMPLATE = Path(__file__).with_name("starter.toml")
MATRIX = "matrix.toml"
RULER = "floor"
TO_FILL_IN = """\
unavailable = "its start command is missing: see [server.@name@] in matrix.toml" # remove this line
run = ["./server", "--host={host}", "--port={port}"] # and put its start command here"""


@dataclass(frozen=True)
class Starter:
    """What is known of the server; `run` is the start command as it would be typed, None if not given."""

    name: str
    run: str | None
    body: str
    path: str


def write_starter(folder: Path, starter: Starter) -> tuple[Path, ...]:
    """Write matrix.toml and the ruler's sources into a folder; BadInput if one of them exists already."""
    made = (folder / MATRIX, folder / "servers" / RULER)
    for path in made:
        if path.exists():
            raise BadInput(f"{path} exists already; nothing was written")
    text = starter_matrix(starter, ruler_table())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(resources.root() / "servers" / RULER, made[1])
        made[0].write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}; name another folder") from error
    return made


def starter_matrix(starter: Starter, ruler: str) -> str:
    """Return the text of a matrix.toml for one server and a ruler; BadInput if the command cannot be used."""
    if re.fullmatch(NAME, starter.name) is None:
        raise BadInput(f"'{starter.name}' is not a valid name; use a-z, 0-9, - and _, as in --name my-server")
    try:
        sendable(starter.path)
    except ValueError as error:
        raise BadInput(f"--path: {error}") from error
    filled = {
        "command": TO_FILL_IN if starter.run is None else f"run = {_words(starter.run)}",
        "title": _text(starter.name),
        "body": _text(starter.body),
        "path": _text(starter.path),
        "rows": _list([starter.name, RULER]),
        "ruler": ruler,
        "name": starter.name,
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for word, value in filled.items():
        text = text.replace(f"@{word}@", value)
    return text


def ruler_table() -> str:
    """Return the ruler's table from the project's own matrix."""
    text = (resources.root() / MATRIX).read_text(encoding="utf-8")
    table = re.search(rf"^\[server\.{RULER}\].*?(?=^\[|^# ---)", text, re.MULTILINE | re.DOTALL)
    if table is None:
        raise BadInput(f"the project's own matrix.toml has no server '{RULER}'")
    return table[0].rstrip() + "\n"


def default_name(folder: Path) -> str:
    """Return a name for the server, derived from a folder's; "server" if nothing of it can be used."""
    return re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_") or "server"


def _words(command: str) -> str:
    """Return the command as a TOML list."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"--run {command!r}: {error}") from error
    if not any("{port}" in word for word in words):
        raise BadInput(
            f"--run {command!r} has no {{port}}, but each trial uses its own port."
            " Write, for example, --run './server --port={port}'."
            " If the server reads the port from the environment, omit --run, and set env and run in matrix.toml"
        )
    return _list(words)


def _text(text: str) -> str:
    """Return a TOML string: as in JSON, but DEL must be escaped too, and surrogates stay as they are."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(words: list[str]) -> str:
    return f"[{', '.join(map(_text, words))}]"
