"""Reads a file of somebody else: what its format is, and the measurements in it.

The format is recognized by what is in the file. A file may be of any size and shape: what is too large, or is none of
the formats, is one clear message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from runners.errors import BadInput
from runners.foreign import benchmarker, bombardier, h2load, hey, httparena, k6, oha, techempower, wrk
from runners.foreign.sample import Foreign, Sample
from runners.records.files import open_to_read
from runners.units import format_size, printable

MOST_BYTES = 32 << 20  # the-benchmarker's data.min.json of April 2025, one of the largest, has 1.5 MB
MOST_SAMPLES = 20_000  # that file has about 1500
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")


@dataclass(frozen=True)
class Format:
    """A format: what it is, whether a file is one, and the measurements in it."""

    title: str
    recognizes: Callable[[Foreign], bool]
    samples: Callable[[Foreign], Iterator[Sample]]


FORMATS = {  # by name, in the order in which they are tried
    "techempower": Format("TechEmpower's results.json", techempower.recognizes, techempower.samples),
    "the-benchmarker": Format("the-benchmarker's data.json", benchmarker.recognizes, benchmarker.samples),
    "httparena": Format("HttpArena's JSON", httparena.recognizes, httparena.samples),
    "bombardier": Format("bombardier's output", bombardier.recognizes, bombardier.samples),
    "k6": Format("k6's summary", k6.recognizes, k6.samples),
    "oha": Format("oha's output", oha.recognizes, oha.samples),
    "hey": Format("hey's output", hey.recognizes, hey.samples),
    "h2load": Format("h2load's output", h2load.recognizes, h2load.samples),
    "wrk": Format("wrk's or wrk2's output", wrk.recognizes, wrk.samples),
}


def read_foreign(path: Path) -> Foreign:
    """Read a file; raise BadInput if it cannot be read or is larger than any file of these formats."""
    try:
        with open_to_read(path) as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise BadInput(f"{path} has more than {format_size(MOST_BYTES)}: no file of a known format is as large")
    return foreign(path.name, data)


def foreign(name: str, data: bytes) -> Foreign:
    """Return what a file holds, without the colors that a terminal would show."""
    text = _COLOURS.sub("", data.decode("utf-8-sig", "replace")).replace("\r\n", "\n")
    return Foreign(name, text, _json(text))


def _json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return None


def samples_in(file: Foreign, wanted: str | None = None) -> tuple[str, tuple[Sample, ...]]:
    """Return a file's format and its measurements; raise BadInput if there are none.

    `wanted` is the format that the user says it is.
    """
    shown = printable(file.name)
    found = next((key for key in ([wanted] if wanted else FORMATS) if FORMATS[key].recognizes(file)), None)
    if found is None:
        known = FORMATS[wanted].title if wanted else ", ".join(each.title for each in FORMATS.values())
        raise BadInput(f"{shown} is not {'' if wanted else 'any of '}{known}")
    try:
        samples = tuple(islice(FORMATS[found].samples(file), MOST_SAMPLES + 1))
    except (ValueError, ArithmeticError) as error:
        raise BadInput(f"{shown}: {FORMATS[found].title} cannot be read: {error}") from error
    if not samples:
        raise BadInput(f"{shown}: there is no measurement in {FORMATS[found].title}")
    if len(samples) > MOST_SAMPLES:
        raise BadInput(f"{shown}: it has more than {MOST_SAMPLES} measurements")
    return found, samples
