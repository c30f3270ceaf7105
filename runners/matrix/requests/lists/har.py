"""Reads a HAR 1.2 file, as browsers and proxies export it: what was asked of the first page's host.

http://www.softwareishard.com/blog/har-12-spec/
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator
from http import HTTPStatus

from pydantic import BaseModel, Field, ValidationError

from runners.matrix.requests.lists.listed import Unreadable, host_of, request_of
from runners.matrix.requests.request import Request
from runners.units import plural

log = logging.getLogger(__name__)


class _Header(BaseModel):
    name: str
    value: str


class _PostData(BaseModel):
    text: str = ""
    encoding: str = ""


class _Request(BaseModel):
    method: str
    url: str
    headers: tuple[_Header, ...] = ()
    body: _PostData = Field(default_factory=_PostData, alias="postData")


class _Response(BaseModel):
    status: int = 0


class _Entry(BaseModel):
    request: _Request
    response: _Response = Field(default_factory=_Response)
    cached: object = Field(None, alias="_fromCache")


class _Log(BaseModel):
    entries: tuple[_Entry, ...]


class _Har(BaseModel):
    log: _Log


def read_har(data: bytes) -> Iterator[Request]:
    """Yield what was sent to the host of the first request, in that order; raise Unreadable if it is no HAR file.

    What the browser's cache answered, and what got no answer, was never asked of the server.
    """
    try:
        entries = _Har.model_validate_json(data).log.entries
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise Unreadable(f"it is no HAR file: {where + ': ' if where else ''}{problem['msg']}") from error
    hosts = [host_of(entry.request.url) for entry in entries]
    asked = [entry for entry, host in zip(entries, hosts, strict=True) if host == hosts[0]]
    if left := len(entries) - len(asked):
        log.info(f"of {plural(len(entries), 'request')}, {left} to other hosts than {hosts[0]} are left out")
    for number, entry in enumerate(asked, start=1):
        if entry.response.status > 0 and not entry.cached:
            yield _request(entry, number)


def _request(entry: _Entry, number: int) -> Request:
    asked, status = entry.request, entry.response.status
    headers = ((each.name, each.value) for each in asked.headers if not each.name.startswith(":"))
    if status == HTTPStatus.NOT_MODIFIED:
        status = HTTPStatus.OK  # without the browser's cache
    try:
        return request_of(asked.method, asked.url, headers, _body(asked.body), int(status))
    except ValueError as error:
        raise Unreadable(f"request {number} ({asked.method} {asked.url}): {error}") from error


def _body(data: _PostData) -> bytes:
    if data.encoding != "base64":
        return data.text.encode()
    try:
        return base64.b64decode(data.text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its body is not base64: {error}") from error
