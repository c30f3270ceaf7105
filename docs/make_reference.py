#!/usr/bin/env python3
"""Fills the tables of docs/reference/ from the program itself: `python docs/make_reference.py`.

A page has places such as `<!-- table: matrix Suite -->` ... `<!-- end -->`. What is between them is generated from the
models of matrix.toml, the records of a run folder, the parser of the command line and the validity checks. If the
program has no description of a field, the one in the last column of the page is kept: write it there by hand. A new
field gets an empty one, and a test fails until it is filled. `--check` only lists the pages that are out of date.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args, get_origin

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reports.exports.numbers import DUET_COLUMNS, ROW_COLUMNS, TRIAL_COLUMNS
from reports.trust import consistency
from runners import errors
from runners.honesty import gates
from runners.matrix.model import Matrix, Validity
from runners.records import run, trial
from runners.records.trial import Errors, Evidence
from runners.stats import comparison
from runners.tools.find import known_tools
from runners.trial import validity
from runners.units import format_duration, format_size
from speedup.parser import build_parser

DOCS = Path(__file__).resolve().parent
PLACE = re.compile(r"(<!-- table: (?P<kind>\w+)(?: (?P<name>\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)
SECTIONS = {  # model -> its heading on the page, if another table links to it
    "Blocks": "blocks", "Match": "match", "GeneratorSettings": "load", "CpuLayout": "cpus", "Variant": "variant",
    "DuetPreset": "duet", "EqualRate": "equal_rate", "RequestSection": "request", "ExpectSection": "expect",
    "ReadySection": "ready",
    "TableRow": "rows", "MixSection": "mix", "Heading": "rows", "Wheel": "wheel",
}  # fmt: skip

RECORDS = vars(trial) | vars(run)

Words = Mapping[str, str]
Rows = list[tuple[str, ...]]
SCHEMA: dict[str, Any] = {
    name: model
    for name, model in json.loads(json.dumps(Matrix.model_json_schema(by_alias=True)))["$defs"].items()
    if "properties" in model  # any JSON value has none
}


def matrix_table(name: str, kept: Words) -> Rows:
    """Return the keys of one table of matrix.toml: key, value, default, meaning."""
    model = SCHEMA[name]
    required = model.get("required", ())
    rows: Rows = [("key", "value", "default", "meaning")]
    for key, field in model["properties"].items():
        default = "*required*" if key in required else _default(field)
        meaning = _prose(field.get("description", "")) or kept.get(f"`{key}`", "")
        rows.append((f"`{key}`", _value(field), default, meaning))
    return rows


def _prose(text: str) -> str:
    """Return text of the program with its asterisks escaped for Markdown."""
    return text.replace("*", r"\*")


def _value(field: Mapping[str, Any]) -> str:
    """Return which values are allowed, in words."""
    if "$ref" in field or "allOf" in field:
        return _table((field.get("$ref") or field["allOf"][0]["$ref"]).rpartition("/")[2])
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_value(option) for option in options if option.get("type") != "null"))
    if "enum" in field or "const" in field:
        return ", ".join(f'`"{word}"`' for word in field.get("enum") or [field["const"]])
    return _plain_value(field)


def _plain_value(field: Mapping[str, Any]) -> str:
    kind = field.get("type", "")
    if kind == "array":
        return f"list of {_value(field['items'])}" if "items" in field else "two whole numbers"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"table of {_value(inner)} by name" if isinstance(inner, dict) else "table"
    if kind == "integer":
        return f"whole number from {field.get('minimum', 0)}"
    if kind == "string" and "examples" in field:
        return _text_like(field["examples"])
    return {"string": "text", "boolean": "`true`, `false`"}.get(kind, str(kind))


def _text_like(examples: Sequence[str]) -> str:
    unit = {"300ms": "duration", "1%": "share", "8MiB": "size"}.get(examples[0])
    return f"[{unit}](#units)" if unit else "text such as " + ", ".join(f"`{json.dumps(word)}`" for word in examples)


def _table(name: str) -> str:
    return f"[table](#{SECTIONS.get(name, name.lower())})" if name in SCHEMA else "any value"


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}):
        return ""
    units = " ".join([*field.get("examples", ()), *(str(option) for option in field.get("anyOf", ()))])
    if isinstance(value, float) and "%" in units:
        return f'`"{value * 100:.6g}%"`'
    if "MiB" in units:
        return f'`"{format_size(value)}"`'
    if isinstance(value, float) and "300ms" in units:
        return f'`"{format_duration(value)}"`'
    return f"`{json.dumps(value)}`" if not isinstance(value, dict) else "its defaults"


def record_table(name: str, kept: Words) -> Rows:
    """Return the fields of a record: field, type, meaning."""
    fields = dataclasses.fields(RECORDS[name])
    rows: Rows = [("field", "type", "meaning")]
    for field in fields:
        rows.append((f"`{field.name}`", _type(str(field.type)), kept.get(f"`{field.name}`", "")))
    return rows


def _type(annotation: str) -> str:
    """Return the JSON type of a Python annotation."""
    words = annotation
    for name, alias in RECORDS.items():
        if get_origin(alias) is Literal:
            words = re.sub(rf"\b{name}\b", f"Literal{list(get_args(alias))}", words)
    nullable = words.endswith(" | None") and "[" not in words.rpartition(" | None")[2]
    words = words.removesuffix(" | None")
    return _json_type(words) + (" or `null`" if nullable else "")


def _json_type(words: str) -> str:
    if words.startswith("Literal["):
        return ", ".join(f"`{word}`" for word in re.findall(r"[\"']([^\"']*)[\"']", words))
    if match := re.fullmatch(r"tuple\[(.*), \.\.\.\]", words):
        return f"list of {_type(match[1])}"
    if match := re.fullmatch(r"tuple\[(\w+), \1\]", words):
        return f"pair of {_type(match[1])}s"
    if match := re.fullmatch(r"dict\[str, (.*)\]", words):
        return f"object of {_type(match[1])}"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "`true`, `false`"}
    return names.get(words, f"[{words}](#{words.lower()})")


def option_table(name: str, _kept: Words) -> Rows:
    """Return the options of a command, or of all commands: option, meaning."""
    parser = _command(name) if name else build_parser()
    rows: Rows = [("option", "meaning")]
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if not isinstance(action.choices, dict) and action.dest != "help":
            rows.append((_option(action), _help(action)))
    return rows


def _command(name: str) -> argparse.ArgumentParser:
    return commands()[name]


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all commands by name, in the order of --help."""
    for action in build_parser()._actions:  # noqa: SLF001
        if isinstance(action.choices, dict):
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def _option(action: argparse.Action) -> str:
    if action.nargs == 0:
        return f"`{', '.join(action.option_strings)}`"
    metavar = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    value = " ".join(metavar) if isinstance(metavar, tuple) else str(metavar)
    repeated = " ..." if action.nargs in ("+", "*") else ""
    return f"`{' '.join(filter(None, [', '.join(action.option_strings), value]))}{repeated}`"


def _help(action: argparse.Action) -> str:
    words = _prose((action.help or "").replace("%%", "%"))
    if isinstance(action, argparse._AppendAction):  # noqa: SLF001 - it has no public name
        words = f"{words}{'; ' if words else ''}may be given several times"
    shown = action.default not in (None, False, [], argparse.SUPPRESS) and "default" not in words
    return f"{words} (default: `{action.default}`)" if shown else words


def command_table(_name: str, _kept: Words) -> Rows:
    """Return all commands: command, meaning."""
    helps = {
        choice.dest: choice.help or ""
        for action in build_parser()._actions  # noqa: SLF001
        if isinstance(action.choices, dict)
        for choice in action._choices_actions  # type: ignore[attr-defined] # noqa: SLF001
    }
    return [("command", "what it does"), *((f"[`{name}`](#{name})", helps.get(name, "")) for name in commands())]


def check_table(_name: str, _kept: Words) -> Rows:
    """Return all validity checks, V0 and V23 among them: id, name, what it compares, thresholds."""
    rows = [_check_row(*BEFORE_THE_LOAD), _check_row("V23", comparison.twin_floor([]).check.name, *THE_TWIN)]
    rows += [_function_row(function) for function in validity.CHECKS]
    rows.sort(key=lambda row: int(re.sub(r"\D.*", "", row[0][2:])))
    return [("check", "name", "of which trials", "what is compared", "thresholds (`[validity]`)"), *rows]


BEFORE_THE_LOAD = ("V0", "answers as asked", "all", "the response to one request, or two, before the load.")
THE_TWIN = ("families", "the baseline with itself under another name, its A/A twin.")


def _function_row(function: validity.Function) -> tuple[str, ...]:
    check = function(_evidence(), Validity())
    meaning = (inspect.getdoc(function) or "").removeprefix(f"{check.id}: ")
    return _check_row(check.id, check.name, validity.kind_of(function).name, " ".join(meaning.split()))


def _check_row(identifier: str, name: str, trials: str, meaning: str) -> tuple[str, ...]:
    """Return a row; a check without a threshold is exact."""
    return f"[{identifier}](#{identifier.lower()})", name, trials, meaning, _thresholds(identifier) or "exact"


def _thresholds(identifier: str) -> str:
    fields = SCHEMA["Validity"]["properties"].items()
    mine = [(key, field) for key, field in fields if field["description"].startswith(f"{identifier}:")]
    return ", ".join(f"`{key}` {_default(field) or 'none'}" for key, field in mine)


def _evidence() -> Evidence:
    """Return evidence of a trial about which little is known, which is enough for the names of the checks."""
    return Evidence(
        mode="persistent", load="wrk", network="namespace", duet=False, connections=1, server_threads=1,
        asked_us=1_000_000, duration_us=1_000_000, watched_us=1_000_000, requests=1, served=1, errors=Errors(),
        shared_cpus=False,
    )  # fmt: skip


def gate_table(_name: str, _kept: Words) -> Rows:
    """Return the gates: gate, kind, what it demands, who promises it."""
    promises = {"all but applications": "`realistic`, `stripped`", "realistic": "`realistic`", "nobody": "nobody"}
    rows = [
        (f"`{gate.id}`", gate.kind, " ".join(gate.text.split()),
         ("all" if gate.kind == "honesty" else promises[gate.promised])
         + (f" ({gate.mode} connections)" if gate.mode else ""))
        for gate in gates.ALL
    ]  # fmt: skip
    return [("gate", "kind", "what it demands", "demanded of, or promised by"), *rows]


def consistency_table(_name: str, _kept: Words) -> Rows:
    """Return the consistency rules: id, name, what must hold, what to do where it does not."""
    rules = consistency.RULES
    rows = [(f"[{rule.id}](#{rule.id.lower()})", rule.name, _prose(rule.formula), rule.advice) for rule in rules]
    return [("rule", "name", "what must hold", "where it does not"), *rows]


def tool_table(_name: str, _kept: Words) -> Rows:
    """Return the tools that the project knows: name, looked for, what brings it."""
    rows: Rows = [("tool", "looked for", "for", "Debian package", "Homebrew", "Python wheels")]
    for name, tool in known_tools().items():
        sought = [*tool.commands, *filter(None, (tool.library, tool.header, tool.nimble))]
        wheel = f"`requirements/{tool.wheel.requirements}.txt`" if tool.wheel else ""
        rows.append(
            (f"`{name}`", _codes(sought), ", ".join(tool.purpose), _codes(tool.debian), _codes([tool.brew]), wheel)
        )
    return rows


def _codes(words: Sequence[str | None]) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


SHEETS = {"rows": ROW_COLUMNS, "duets": DUET_COLUMNS, "trials": TRIAL_COLUMNS}
OF_FIGURES = ("low", "high", "level", "count")


def column_table(name: str, kept: Words) -> Rows:
    """Return the columns of an export: column, type, meaning; those of a figure's interval are in its own row."""
    known = {column.name for column in SHEETS[name]}
    rows: Rows = [("column", "type", "meaning")]
    for column in SHEETS[name]:
        base, _, end = column.name.rpartition("_")
        if not (end in OF_FIGURES and base in known):
            figure = f"{column.name}_level" in known
            cell = f"`{column.name}`{'*' if figure else ''}"
            rows.append((cell, _json_type(column.kind.__name__), kept.get(cell) or _of_trial(column.name, name)))
    return rows


def _of_trial(column: str, sheet: str) -> str:
    fields = {field.name for field in dataclasses.fields(trial.Trial)}
    return "as in the [record of a trial](run-folder.md#trial)" if sheet == "trials" and column in fields else ""


def error_table(_name: str, kept: Words) -> Rows:
    """Return the exit codes: code, when."""
    codes = {0} | {kind.exit_code for kind in vars(errors).values() if _is_error(kind)}
    return [("code", "when"), *((f"`{code}`", kept.get(f"`{code}`", "")) for code in sorted(codes))]


def _is_error(kind: object) -> TypeGuard[type[errors.SpeedupError]]:
    return isinstance(kind, type) and issubclass(kind, errors.SpeedupError)


KINDS: dict[str, Callable[[str, Words], Rows]] = {
    "matrix": matrix_table,
    "record": record_table,
    "options": option_table,
    "commands": command_table,
    "checks": check_table,
    "gates": gate_table,
    "consistency": consistency_table,
    "tools": tool_table,
    "columns": column_table,
    "exits": error_table,
}


def renewed(text: str) -> str:
    """Return a page with all its tables updated."""
    return PLACE.sub(_filled, text)


def _filled(match: re.Match[str]) -> str:
    rows = KINDS[match["kind"]](match["name"] or "", _last_column(match[0]))
    return f"{match[1]}{_markdown(rows)}{match[4]}"


def _last_column(text: str) -> dict[str, str]:
    """Return the last cell of each row of a table by its first one."""
    cells = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[-1] for row in cells if len(row) > 1}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _markdown(rows: Rows) -> str:
    header, *body = rows
    lines = [header, ("---",) * len(header), *(tuple(map(_escaped, row)) for row in body)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def _escaped(cell: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", cell)


def pages() -> Iterator[Path]:
    """Yield the pages that hold places for tables."""
    yield from (page for page in sorted((DOCS / "reference").glob("*.md")) if PLACE.search(page.read_text("utf-8")))


def main(argv: Sequence[str] | None = None) -> int:
    """Update the pages, or only list those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    check = parser.parse_args(argv).check
    stale = [page for page in pages() if renewed(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        sys.stdout.write(f"{page.relative_to(DOCS.parent)}{' is out of date' if check else ''}\n")
        if not check:
            page.write_text(renewed(page.read_text("utf-8")), encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
