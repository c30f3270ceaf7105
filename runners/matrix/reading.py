"""Reads matrix.toml: every mistake at once, each with file:line:column, the line itself and a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from pydantic import BaseModel, ValidationError

from runners.errors import BadInput
from runners.matrix.cells import parse_row, programs
from runners.matrix.locate import locate
from runners.matrix.model import Heading, Matrix, Server, TableRow

Path_ = tuple[str | int, ...]

SENTENCES = {
    "missing": "'{key}' is missing",
    "extra_forbidden": "unknown key '{key}'",
    "string_type": "'{key}' must be text in quotes",
    "too_short": "'{key}' must not be empty",
    "greater_than_equal": "'{key}' must be at least 1",
    "int_type": "'{key}' must be a whole number",
    "tuple_type": "'{key}' must be a list",
    "model_type": "'{key}' must be a table",
    "dict_type": "'{key}' must be a table",
    "string_pattern_mismatch": "'{key}' may not be written like this",
}


@dataclass(frozen=True)
class Problem:
    """One mistake: the path of the value in the document, what is wrong, and what may have been meant."""

    path: Path_
    message: str
    suggestion: str | None = None


def read_matrix(file: Path, defaults: Path | None = None) -> tuple[Matrix, str]:
    """Return the matrix of a file and its text; BadInput lists every mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}; name a matrix with --matrix FILE") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8 text (byte {error.start})") from error
    return parse_matrix(text, str(file), defaults), text


def parse_matrix(text: str, name: str = "matrix.toml", defaults: Path | None = None) -> Matrix:
    """Return the matrix in `text`; `name` is how errors call the file, `defaults` a file of tool data."""
    document = _parse(text, name)
    if defaults is not None:
        tools = tomli.loads(defaults.read_text(encoding="utf-8"))["tool"]
        written = document.get("tool", {})
        document = {**document, "tool": {**tools, **written} if isinstance(written, dict) else written}
    try:
        matrix = Matrix.model_validate(document)
    except ValidationError as error:
        raise BadInput(_report(_problems(error.errors()), text, name)) from error
    if problems := list(cross_check(matrix)):
        raise BadInput(_report(problems, text, name))
    return matrix


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise BadInput(_where(name, text, error.lineno, error.colno, error.msg)) from error


def cross_check(matrix: Matrix) -> Iterator[Problem]:
    """Yield references to things the matrix does not define."""
    if matrix.suite.preset not in matrix.preset:
        yield _unknown(("suite", "preset"), "preset", matrix.suite.preset, matrix.preset)
    groups = dict.fromkeys(program.group for program, _ in programs(matrix))
    for index, group in enumerate(matrix.suite.groups):
        if group not in groups:
            yield _unknown(("suite", "groups", index), "group", group, groups)
    for name, server in matrix.server.items():
        yield from _missing_tools(("server", name, "needs"), server.needs, matrix)
        yield from _needless_versions(name, server)
        for variant_name, variant in server.variant.items():
            yield from _missing_tools(("server", name, "variant", variant_name, "needs"), variant.needs, matrix)
    for index, table in enumerate(matrix.table):
        if table.group is not None and table.group not in groups:
            yield _unknown(("table", index, "group"), "group", table.group, groups)
        for position, entry in enumerate(table.rows):
            if not isinstance(entry, Heading):
                yield from _row_problems(("table", index, "rows", position), entry, matrix)


def _missing_tools(path: Path_, needs: Sequence[str], matrix: Matrix) -> Iterator[Problem]:
    for index, tool in enumerate(needs):
        if tool not in matrix.tool:
            yield _unknown((*path, index), "tool", tool, matrix.tool)


def _needless_versions(name: str, server: Server) -> Iterator[Problem]:
    for tool in server.at_least:
        if tool not in server.needs:
            yield Problem(("server", name, "at_least", tool), f"'{tool}' is not among the server's needs")


def _row_problems(path: Path_, entry: str | TableRow, matrix: Matrix) -> Iterator[Problem]:
    text = entry if isinstance(entry, str) else entry.row
    try:
        key = parse_row(text)
    except ValueError as error:
        yield Problem(path, str(error))
        return
    server = matrix.server.get(key.server)
    if server is None:
        yield _unknown(path, "server", key.server, matrix.server)
    elif key.variant is not None and key.variant not in server.variant:
        yield _unknown(path, f"variant of {key.server}", key.variant, server.variant)


def _unknown(path: Path_, kind: str, name: str, known: Mapping[str, object]) -> Problem:
    return Problem(path, f"unknown {kind} '{name}'", closest(name, known) or f"known: {', '.join(known)}")


def closest(name: str, known: Mapping[str, object] | Sequence[str]) -> str | None:
    """Return "did you mean 'x'?" where something known resembles `name`."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None


def _problems(items: Sequence[Any]) -> list[Problem]:
    """Return pydantic's errors as ours; a list is not called empty because of its wrong items."""
    parents = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
    return [_problem(item) for item in items if item["type"] != "too_short" or item["loc"] not in parents]


def _problem(item: Any) -> Problem:
    """Turn one of pydantic's errors into a sentence of ours."""
    path = tuple(part for part in item["loc"] if part not in _INNER)
    key = _name(path)
    if item["type"] == "literal_error":
        expected = item["ctx"]["expected"]
        return Problem(path, f"'{item['input']}' is not one of {expected}")
    message = SENTENCES.get(item["type"], "{message}").format(
        key=key, message=item["msg"].removeprefix("Value error, ")
    )
    suggestion = closest(key, _siblings(item["loc"][:-1])) if item["type"] == "extra_forbidden" else None
    return Problem(path, message, suggestion)


def _name(path: Path_) -> str:
    """Return how a sentence calls the value: its key, or the key of its list and which item it is."""
    if path and isinstance(path[-1], int):
        return f"{_name(path[:-1])}, item {path[-1] + 1}"
    return str(path[-1]) if path else "matrix"


_INNER = {"str", "TableRow", "Heading", "tuple[str, ...]", "[key]"}  # parts of pydantic's paths that no document has


ENTRIES = {model.__name__: model for model in (TableRow, Heading)}


def _siblings(path: Path_) -> list[str]:
    """Return the keys that the model at `path` knows."""
    model: Any = Matrix
    for part in path:
        model = _child(model, part)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _child(model: Any, part: str | int) -> Any:
    """Return the type one step down: a field of a model, or the values of a dict or tuple."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                return _plain(field.annotation)
        return None
    arguments = getattr(model, "__args__", ())
    if part in ENTRIES:
        return ENTRIES[str(part)]
    if not arguments:
        return None
    return _plain(arguments[0] if isinstance(part, int) else arguments[-1])


def _plain(annotation: Any) -> Any:
    """Return an optional type's real part."""
    members = [member for member in getattr(annotation, "__args__", ()) if member is not type(None)]
    if len(members) == 1 and type(None) in annotation.__args__:
        return members[0]
    return annotation


def _report(problems: Sequence[Problem], text: str, name: str) -> str:
    """Return all problems as text, in the order of the file, each once."""
    placed = sorted(
        {(locate(text, problem.path), problem.message, problem.suggestion) for problem in problems},
        key=lambda item: (item[0], item[1]),
    )
    blocks = [_where(name, text, line, column, _sentence(message, hint)) for (line, column), message, hint in placed]
    count = f"{len(blocks)} mistakes" if len(blocks) > 1 else "1 mistake"
    return "\n\n".join([*blocks, f"{count} in {name}; nothing was run"])


def _sentence(message: str, suggestion: str | None) -> str:
    return f"{message} - {suggestion}" if suggestion else message


def _where(name: str, text: str, line: int, column: int, message: str) -> str:
    """Return "file:line:column: message", the line, and a caret under the column."""
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return f"{name}:{line}:{column}: {message}\n    {source}\n    {' ' * (column - 1)}^"
