"""Reads matrix.toml and reports every error in it, each with file:line:column, the line and a suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli
from pydantic import BaseModel, ValidationError

from runners.errors import BadInput
from runners.matrix.mistakes.folders import missing_folders
from runners.matrix.mistakes.problems import Path_, Problem, closest, report, show
from runners.matrix.mistakes.reach import unreachable
from runners.matrix.mistakes.references import cross_check
from runners.matrix.model import Heading, Matrix, TableRow
from runners.matrix.quantities import NAME
from runners.matrix.requests.mix import Asked

SENTENCES = {
    "missing": "'{key}' is missing",
    "extra_forbidden": "unknown key '{key}'",
    "string_type": "'{key}' must be text in quotes",
    "too_short": "'{key}' must not be empty",
    "greater_than_equal": "'{key}' must be at least {ge}",
    "int_type": "'{key}' must be a whole number",
    "tuple_type": "'{key}' must be a list",
    "model_type": "'{key}' must be a table",
    "dict_type": "'{key}' must be a table",
    "string_pattern_mismatch": "'{key}' must match {pattern}",
}

NOT_A_NAME = "'{key}' is not a valid name; use a-z, 0-9, - and _"
RENAMED = {"wrk": "load"}  # keys of older versions


def read_matrix(file: Path, defaults: Path | None = None) -> tuple[Matrix, str]:
    """Return the matrix in a file, and its text; BadInput lists every error."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}; name a matrix with --matrix FILE") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8 text (byte {error.start})") from error
    return parse_matrix(text, str(file), defaults, root=file.resolve().parent), text


def read_requests(matrix: Matrix, root: Path) -> tuple[Asked, ...]:
    """Return what to ask, with files relative to `root`; BadInput if one cannot be read."""
    return matrix.requests(lambda name: _read_file(root / name))


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}; it should contain requests, or the body of one") from error


RETIRED = (("validity", "twin"),)  # keys of earlier versions, which decide nothing any more


def parse_matrix(
    text: str,
    name: str = "matrix.toml",
    defaults: Path | None = None,
    *,
    root: Path | None = None,
    recorded: bool = False,
) -> Matrix:
    """Return the matrix in `text`; `name` stands for the file in errors, `defaults` is a file with tools.

    With `root`, the folder that its paths are relative to, the servers' folders must be there. What was `recorded` with
    a run has been measured, so it is no error if a part of it could not be.
    """
    document = _parse(text, name)
    if recorded:
        _forget_retired(document)
    if defaults is not None:
        tools = tomli.loads(defaults.read_text(encoding="utf-8"))["tool"]
        written = document.get("tool", {})
        document = {**document, "tool": {**tools, **written} if isinstance(written, dict) else written}
    try:
        matrix = Matrix.model_validate(document)
    except ValidationError as error:
        raise BadInput(report(_problems(error.errors()), text, name)) from error
    problems = [*cross_check(matrix), *(() if recorded else unreachable(matrix))]
    problems += missing_folders(matrix, root) if root else ()
    if problems:
        raise BadInput(report(problems, text, name))
    return matrix


def _forget_retired(document: dict[str, Any]) -> None:
    """Leave out of a recorded matrix what only earlier versions knew, so that old runs can be read."""
    for section, key in RETIRED:
        if isinstance(document.get(section), dict):
            document[section].pop(key, None)


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise BadInput(show(name, text, error.lineno, error.colno, error.msg)) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets within brackets
        raise BadInput(f"{name}: {str(error).partition('; use sys.')[0]}") from error


def _problems(items: Sequence[Any]) -> list[Problem]:
    """Return pydantic's errors as ours, but no list is called empty because its items are wrong."""
    parents = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
    return [_problem(item) for item in items if item["type"] != "too_short" or item["loc"] not in parents]


def _problem(item: Any) -> Problem:
    """Return one of pydantic's errors as ours, in plain words."""
    path = tuple(part for part in item["loc"] if part not in _INNER)
    key = _name(path)
    if item["type"] == "literal_error":
        expected = item["ctx"]["expected"]
        return Problem(path, f"'{item['input']}' is not one of {expected}")
    facts = {**item.get("ctx", {}), "key": key, "message": item["msg"].removeprefix("Value error, ")}
    sentence = NOT_A_NAME if facts.get("pattern") == NAME else SENTENCES.get(item["type"], "{message}")
    message = sentence.format(**facts)
    suggestion = _key_meant(key, _siblings(item["loc"][:-1])) if item["type"] == "extra_forbidden" else None
    return Problem(path, message, suggestion)


def _key_meant(key: str, known: Sequence[str]) -> str | None:
    renamed = RENAMED.get(key)
    return f"did you mean '{renamed}'?" if renamed in known else closest(key, known)


def _name(path: Path_) -> str:
    """Return the name of the value in an error: its key, or the key of its list and the number of the item."""
    if path and isinstance(path[-1], int):
        return f"{_name(path[:-1])}, item {path[-1] + 1}"
    return str(path[-1]) if path else "matrix"


_INNER = {
    "str",
    "TableRow",
    "Heading",
    "tuple[str, ...]",
    "[key]",
}  # parts of pydantic's paths, not of the document's


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
    """Return the type without None."""
    members = [member for member in getattr(annotation, "__args__", ()) if member is not type(None)]
    if len(members) == 1 and type(None) in annotation.__args__:
        return members[0]
    return annotation
