"""The structure of `[mix.NAME]` in matrix.toml: requests that are sent in turn, by name or from a file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Self

from pydantic import Field, model_validator

from runners.errors import BadInput
from runners.matrix.quantities import Name
from runners.matrix.requests.lists.har import read_har
from runners.matrix.requests.lists.listed import Unreadable, mix_of
from runners.matrix.requests.lists.targets import read_targets
from runners.matrix.requests.lists.urls import read_urls
from runners.matrix.requests.mix import MOST_LENGTH, Mix
from runners.matrix.requests.request import Request
from runners.matrix.requests.request_section import ReadFile, RequestSection
from runners.matrix.section import Section


class MixSection(Section):
    """Requests that the same connections send in turn, in a fixed random order."""

    requests: tuple[Name, ...] = Field((), description="Requests by name, each as often as its `weight` says.")
    har: str | None = Field(
        None, description="HAR file, as browsers export it: what was sent to the host of its first request."
    )
    urls: str | None = Field(None, description="File with a URL or a path in each line.")
    targets: str | None = Field(None, description='Targets of vegeta, in its "http" or "json" format.')

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if sum(map(bool, (self.requests, self.har, self.urls, self.targets))) != 1:
            raise ValueError('give exactly one of "requests", "har", "urls" and "targets"')
        return self

    @property
    def file(self) -> str | None:
        """Return the file that it is read from; None if it names requests."""
        return self.har or self.urls or self.targets

    def value(self, name: str, requests: Mapping[str, RequestSection], read: ReadFile) -> Mix:
        """Return it as a value; `read` returns a file's content. Raise BadInput if its file is malformed."""
        if self.requests:
            chosen = [(requests[each].value(each, read), requests[each].weight) for each in self.requests]
            return Mix(name, *zip(*chosen, strict=True))
        try:
            return mix_of(name, self._listed(read))
        except Unreadable as error:
            where = self.file if error.line is None else f"{self.file}:{error.line}"
            raise BadInput(f"{where}: {error}") from error

    def _listed(self, read: ReadFile) -> Iterator[Request]:
        data = read(self.file or "")
        if self.targets:
            beside = PurePosixPath(self.targets).parent
            return read_targets(data, lambda name: read(str(beside / name)))
        return read_har(data) if self.har else read_urls(data)

    def too_long(self, requests: Mapping[str, RequestSection]) -> str | None:
        """Return what is wrong with the weights; None if a cycle of requests can have them."""
        weights = [requests[name].weight for name in self.requests if name in requests]
        length = sum(weights) // math.gcd(*weights) if weights else 0
        if length <= MOST_LENGTH:
            return None
        return f"its weights need a cycle of {length} requests, more than {MOST_LENGTH}; use smaller ones"


def request_files(requests: Mapping[str, RequestSection], mixes: Mapping[str, MixSection]) -> tuple[str, ...]:
    """Return the files that bodies and mixes stand in."""
    files = (*(each.body_file for each in requests.values()), *(mix.file for mix in mixes.values()))
    return tuple(dict.fromkeys(filter(None, files)))
