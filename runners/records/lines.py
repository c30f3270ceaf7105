"""A line of `trials.jsonl`: one record as JSON, whose last field is the CRC-32 of all the bytes before that field.

Lines of version 1 have no checksum. `run.json` ends with one, too. Pure.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

from runners.records.trial import TRIAL_SCHEMA, Trial

_CHECKSUM = re.compile(rb',"crc32":"([0-9a-f]{8})"\}\n')
_CHECKSUM_BYTES = len(b',"crc32":"00000000"}\n')
_HEAD_CHECKSUM = re.compile(rb',\n "crc32": "([0-9a-f]{8})"\n\}\n\Z')
_MUST_HAVE_ONE = re.compile(rb'"schema": ?"' + re.escape(TRIAL_SCHEMA.encode()) + rb'"')
_JOINED = re.compile(rb'(?<="crc32":"[0-9a-f]{8}"\}).(?=\{)', re.DOTALL)


class BadLine(ValueError):
    """A line is not what was written; the message says how that shows."""


def sealed(record: str) -> bytes:
    """Return a record, a JSON object, as a line with its checksum."""
    body = record.encode("utf-8", "replace").removesuffix(b"}")  # half a surrogate is no text
    return body + b',"crc32":"%08x"}\n' % zlib.crc32(body)


def opened(line: bytes) -> bytes:
    """Return the record in a line, without its checksum; raise BadLine unless it is as it was written."""
    body, end = line[:-_CHECKSUM_BYTES], line[-_CHECKSUM_BYTES:]
    found = _CHECKSUM.fullmatch(end)
    if found is None:
        if _MUST_HAVE_ONE.search(line):
            raise BadLine("its checksum is missing")
        return line
    if zlib.crc32(body) != int(found[1], 16):
        raise BadLine("its checksum does not match")
    return body + b"}\n"


def sealed_head(text: str) -> str:
    """Return the JSON of `run.json`, an object of several lines, with the checksum of what stands before it."""
    body = text.rstrip().removesuffix("}").rstrip()
    return f'{body},\n "crc32": "{zlib.crc32(body.encode("utf-8", "replace")):08x}"\n}}\n'


def head_fault(data: bytes) -> str:
    """Return how it shows that `run.json` is not as it was written; empty if it is, or has no checksum."""
    found = _HEAD_CHECKSUM.search(data)
    matches = found is None or zlib.crc32(data[: found.start()]) == int(found[1], 16)
    return "" if matches else "its checksum does not match"


def separated(line: bytes) -> Sequence[bytes]:
    """Return the lines in a line: more than one where the byte between two of them is damaged."""
    found = _JOINED.split(line)
    return [*(part + b"\n" for part in found[:-1]), found[-1]]


def whole_items(trials: Sequence[Trial]) -> tuple[tuple[Trial, ...], tuple[int, ...]]:
    """Return the trials of whole items, and the indexes of those that are half a duet.

    The two trials of a duet are appended together, first the one whose server started first, and began at the same
    moment. One without the other is what a kill or damage left. It is set aside: it counts nowhere, and the duet is
    measured again.
    """
    whole: list[Trial] = []
    halves: list[int] = []
    for start, length in _items(trials):
        if length < (2 if trials[start].pair else 1):
            halves.append(start)
        else:
            whole += trials[start : start + length]
    return tuple(whole), tuple(halves)


def _items(trials: Sequence[Trial]) -> Iterator[tuple[int, int]]:
    """Yield where each item begins, and how many of its trials are there."""
    index = 0
    while index < len(trials):
        length = 2 if index + 1 < len(trials) and _are_duet(trials[index], trials[index + 1]) else 1
        yield index, length
        index += length


def _are_duet(one: Trial, other: Trial) -> bool:
    in_order = one.cell != other.cell and (one.role, other.role) != ("second", "first")
    return bool(one.pair) and in_order and _item(one) == _item(other)


def _item(trial: Trial) -> tuple[object, ...]:
    return trial.family, trial.block, trial.attempt, trial.position, trial.pair, trial.started_at
