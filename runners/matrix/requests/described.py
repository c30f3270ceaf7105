"""Requests as JSON, for the programs that send them in processes of their own. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runners.matrix.requests.request import Expect, Request


def as_text(data: object) -> str:
    """Return the bytes in what `json.dumps` cannot write, one character for each."""
    if isinstance(data, bytes):
        return data.decode("latin-1")
    raise TypeError(f"{type(data).__name__} has no form in JSON")


def described(request: Request) -> dict[str, Any]:
    """Return a request as JSON has it."""
    return {**asdict(request), "body": as_text(request.body)}


def request_from(facts: dict[str, Any]) -> Request:
    """Return the request that JSON describes."""
    expect = {**facts["expect"], "length": facts["expect"]["length"] and tuple(facts["expect"]["length"])}
    headers = tuple((name, value) for name, value in facts["headers"])
    return Request(**{**facts, "headers": headers, "body": facts["body"].encode("latin-1"), "expect": Expect(**expect)})
