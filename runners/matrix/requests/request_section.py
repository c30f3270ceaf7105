"""The structure of `[request.NAME]` in matrix.toml: what to ask, and what to expect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from runners.matrix.quantities import Count, Number, RequestPath
from runners.matrix.requests.request import Expect, Request
from runners.matrix.section import Section

ReadFile = Callable[[str], bytes]
OURS = {"host", "connection", "content-length", "transfer-encoding"}  # the load generator sets these

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern.encode())
    except re.error as error:
        raise ValueError(f"'pattern' is not a regular expression: {error}") from error
    return pattern


def _pair(length: object) -> object:
    return (length, length) if isinstance(length, int) else length


Header = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e\xa0-\xff]*$")]


class ExpectSection(Section):
    """The right answer. Whatever is given must hold."""

    status: int = Field(200, ge=200, le=599, description="Its status.")
    body: str | None = Field(None, description="Its exact body.")
    json_: JsonValue | None = Field(
        None, alias="json", description="JSON that its body must hold; objects in the body may have more keys."
    )
    pattern: Annotated[str, AfterValidator(_compiles)] | None = Field(
        None, description="A regular expression that must be found in its body."
    )
    length: Annotated[tuple[Number, Number], BeforeValidator(_pair)] | None = Field(
        None, description="Size of its body in bytes, as a number or as [least, most]."
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Its body's SHA-256, in hexadecimal.")

    def value(self) -> Expect:
        """Return it as a value."""
        document = None if self.json_ is None else json.dumps(self.json_, sort_keys=True)
        return Expect(self.status, self.body, document, self.pattern, self.length, self.sha256)


class RequestSection(Section):
    """A request, and the answer that is expected."""

    method: Method = Field("GET", description="Its method.")
    path: RequestPath = Field("/", description="Its path, with its query if it has one.")
    headers: dict[Header, HeaderValue] = Field(default_factory=dict, description="Its headers, besides Host.")
    body: str | None = Field(None, description="Its body.")
    body_file: str | None = Field(None, description="File with its body, relative to this file.")
    weight: Count = Field(1, description="How often it is sent in a mix, relative to the others.")
    expect: ExpectSection = Field(default_factory=ExpectSection, description="The right answer; default: status 200.")

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        if self.body is not None and self.body_file is not None:
            raise ValueError('give "body" or "body_file", not both')
        for name in self.headers:
            if name.lower() in OURS:
                raise ValueError(f"'{name}' is set by the load generator; the mode decides about the connection")
        return self

    def value(self, name: str, read: ReadFile) -> Request:
        """Return it as a value; `read` returns the content of a file."""
        body = read(self.body_file) if self.body_file else (self.body or "").encode()
        return Request(self.path, name, self.method, tuple(self.headers.items()), body, self.expect.value())
