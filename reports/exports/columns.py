"""Flattens nested records into columns: every name ends with its unit, and every record has the same columns. Pure.

The columns follow from the classes, so a new field of an answer or a trial is a new column of every export.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reports.forms.answers import Figure

Value = str | int | float | bool | None
Record = Mapping[str, Value]


@dataclass(frozen=True)
class Column:
    """One column: its name, and the type of what is in it where it is not null."""

    name: str
    kind: type[str | int | float | bool]


@dataclass(frozen=True)
class Sheet:
    """Records with the same columns, in the order of those columns."""

    columns: tuple[Column, ...]
    records: tuple[Record, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names."""
        return tuple(column.name for column in self.columns)


def columns_of(cls: Any, leave_out: Iterable[str] = (), prefix: str = "") -> Iterator[Column]:
    """Yield the columns of a dataclass; those of a nested one begin with its field's name."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name not in leave_out:
            yield from _columns(f"{prefix}{field.name}", _without_none(hints[field.name]))


def _columns(name: str, hint: Any) -> Iterator[Column]:
    if dataclasses.is_dataclass(hint):
        found = columns_of(hint, prefix=f"{name}_")
        yield from (_named_after_value(column, name) for column in found) if hint is Figure else found
    elif get_origin(hint) in {Literal, tuple}:  # of words
        yield Column(name, str)
    else:
        yield Column(name, hint)


def _named_after_value(column: Column, name: str) -> Column:
    """Return a figure's column; that of its value has the name of the figure."""
    return Column(name, column.kind) if column.name == f"{name}_value" else column


def _without_none(hint: Any) -> Any:
    options = [option for option in get_args(hint) if option is not type(None)]
    return options[0] if len(options) == 1 and get_origin(hint) not in {tuple, Literal} else hint


def record_of(columns: Iterable[Column], *parts: Any) -> Record:
    """Return a record with these columns, made from dataclasses; null where they say nothing."""
    found: dict[str, Value] = {}
    for part in parts:
        found |= _values(part)
    return {column.name: found.get(column.name) for column in columns}


def _values(value: Any, prefix: str = "") -> dict[str, Value]:
    found: dict[str, Value] = {}
    for field in dataclasses.fields(value):
        name, inner = f"{prefix}{field.name}", getattr(value, field.name)
        if isinstance(inner, Figure):
            found[name] = inner.value
        if dataclasses.is_dataclass(inner):
            found |= _values(inner, f"{name}_")
        elif isinstance(inner, tuple):
            found[name] = " ".join(map(str, inner)) or None
        elif not isinstance(inner, dict):
            found[name] = inner
    return found
