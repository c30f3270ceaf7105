"""Reads targets of vegeta, in its `http` format or in its `json` format.

https://github.com/tsenart/vegeta#-format
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runners.matrix.requests.lists.listed import Unreadable, request_of
from runners.matrix.requests.request import Request
from runners.matrix.requests.request_section import ReadFile

Line = tuple[int, str]


class _Target(BaseModel):
    model_config = ConfigDict(extra="forbid")

    method: str = "GET"
    url: str
    body: str = ""
    header: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def read_targets(data: bytes, read: ReadFile) -> Iterator[Request]:
    """Yield the requests; `read` returns the file after an @. Raise Unreadable for a line that is none of a target."""
    lines = list(enumerate(data.decode("utf-8", "replace").splitlines(), start=1))
    first = next((text.strip() for _, text in lines if text.strip()), "")
    return _from_json(lines) if first.startswith("{") else _from_http(lines, read)


def _from_json(lines: Iterable[Line]) -> Iterator[Request]:
    for number, text in lines:
        if not text.strip():
            continue
        try:
            target = _Target.model_validate_json(text)
            headers = [(name, value) for name, values in target.header.items() for value in values]
            yield request_of(target.method, target.url, headers, base64.b64decode(target.body, validate=True))
        except ValidationError as error:
            raise Unreadable(f"it is no target: {error.errors()[0]['msg']}", number) from error
        except ValueError as error:
            raise Unreadable(str(error), number) from error


def _from_http(lines: Iterable[Line], read: ReadFile) -> Iterator[Request]:
    """Yield a request for each paragraph, and for each of several request lines without one between them."""
    written = [line for line in lines if not line[1].lstrip().startswith("#")]
    for blank, paragraph in itertools.groupby(written, key=lambda line: not line[1].strip()):
        if not blank:
            for target in _split(paragraph):
                yield _request(target, read)


def _split(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield each target's lines: the next one begins with a method, which has no colon."""
    target: list[Line] = []
    for line in lines:
        word = line[1].split()[0]
        if target and ":" not in word and not word.startswith("@"):
            yield target
            target = []
        target.append(line)
    yield target


def _request(target: list[Line], read: ReadFile) -> Request:
    (first, text), *others = target
    method, _, url = text.strip().partition(" ")
    headers, body = [], b""
    for number, line in others:
        name, colon, value = line.partition(":")
        if line.startswith("@"):
            body = read(line[1:].strip())
        elif colon:
            headers.append((name.strip(), value.strip()))
        else:
            raise Unreadable(f"{line!r} is neither a header nor a body (@file)", number)
    try:
        return request_of(method, url.strip(), headers, body)
    except ValueError as error:
        raise Unreadable(str(error), first) from error
