"""Durations, shares, names and other values of matrix.toml, parsed by pydantic and described for editors."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from runners.matrix.objective import PERCENTILES, parse_objective
from runners.units import parse_duration_s, parse_share, parse_size_bytes

LEAST_WINDOW_S = 0.2
NAME = r"^[a-z0-9][a-z0-9_-]*$"
Name = Annotated[str, Field(pattern=NAME)]
Version = Annotated[str, Field(pattern=r"^[0-9]+([.][0-9]+)*$")]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?(us|ms|s|m|h)$", "examples": ["300ms", "10s"]}),
]


AUTO = "auto"
_WARM_UP_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": rf"^({AUTO}|[0-9.]+ ?(us|ms|s|m|h))$", "examples": ["300ms", AUTO]}
)


def _warm_up(text: object) -> float | None:
    return None if text == AUTO else parse_duration_s(text)


WarmUp = Annotated[
    float | None,
    BeforeValidator(_warm_up),
    _WARM_UP_SCHEMA,
]


def _own_warm_up(text: object) -> object:
    return text if text == AUTO else parse_duration_s(text)


OwnWarmUp = Annotated[  # of a server; "auto" stays a word, since None means the preset's
    float | Literal["auto"],
    BeforeValidator(_own_warm_up),
    _WARM_UP_SCHEMA,
]


def _measurable(seconds: float) -> float:
    if seconds < LEAST_WINDOW_S:
        raise ValueError("load must last at least 200ms: wrk checks its clock every 100 ms")
    return seconds


Window = Annotated[Duration, AfterValidator(_measurable)]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?%$", "examples": ["1%"]}),
]
Size = Annotated[
    float,
    BeforeValidator(parse_size_bytes),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?(B|KiB|MiB|GiB)$", "examples": ["8MiB"]}),
]


def _amount(text: object) -> str:
    """Return a share or a size as it was written; ValueError says how to write one."""
    try:
        share = parse_share(text)
    except ValueError:
        parse_size_bytes(text)
        return str(text)
    if not 0 < share <= 1:
        raise ValueError("a share of the memory must be above 0% and at most 100%")
    return str(text)


Amount = Annotated[
    str,
    BeforeValidator(_amount),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9.]+ ?(%|B|KiB|MiB|GiB)$", "examples": ["80%", "12GiB"]},
    ),
]


def amount_bytes(text: str, whole_bytes: float) -> float:
    """Return an amount in bytes; a share is one of the whole."""
    return parse_share(text) * whole_bytes if text.rstrip().endswith("%") else parse_size_bytes(text)


def _fraction(share: float) -> float:
    if not 0 < share <= 1:
        raise ValueError("a fraction of the capacity must be above 0% and at most 100%")
    return share


def _objective(text: object) -> str:
    return parse_objective(text).text


Fraction = Annotated[Share, AfterValidator(_fraction)]
Slo = Annotated[
    str,
    BeforeValidator(_objective),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^p({'|'.join(f'{percent:g}' for percent in PERCENTILES)}) *<=? *[0-9.]+ ?(us|ms|s|m|h)$",
            "examples": ["p99 < 2ms"],
        }
    ),
]
Number = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Words = tuple[str, ...]


_NOT_IN_A_REQUEST_LINE = re.compile(r"[^!-~]|#")  # white space, other alphabets, and what clients keep to themselves


def sendable(path: str) -> str:
    """Return a path that can stand in a request line as it is; ValueError says how to write another one."""
    if not path.startswith("/"):
        raise ValueError(f"a path begins with / - did you mean '/{path}'?")
    if wrong := _NOT_IN_A_REQUEST_LINE.search(path):
        encoded = _NOT_IN_A_REQUEST_LINE.sub(lambda each: quote(each[0], safe=""), path)
        raise ValueError(f"{wrong[0]!r} cannot stand in a request line - did you mean '{encoded}'?")
    return path


RequestPath = Annotated[str, AfterValidator(sendable), WithJsonSchema({"type": "string", "pattern": '^/[!"$-~]*$'})]


def _ascending(cpus: str) -> str:
    for part in cpus.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            raise ValueError(f"'{part}' ends before it starts")
    return cpus


CpuList = Annotated[str, Field(pattern=r"^\d+(-\d+)?(,\d+(-\d+)?)*$"), AfterValidator(_ascending)]


def _no_option(value: object) -> object:
    if isinstance(value, str) and value.startswith("-"):
        raise ValueError("'ssh' must be a host, such as user@host; options belong in 'options'")
    return value


SshHost = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@:\[\]-]*$"), BeforeValidator(_no_option)]
