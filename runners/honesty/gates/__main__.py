"""Examines one server: `python -m runners.honesty.gates` with a target as JSON prints the gates' results as JSON.

It has its own process for two reasons: it opens 1,100 connections, more than a server started by the harness may, and
it uses threads, which would be dangerous in the harness while that starts programs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import Any

from runners.honesty.gates import Target, examine, many_files
from runners.matrix.request import Expect, Request


def words(target: Target, class_: str) -> str:
    """Return this program's argument: a target and a class, as JSON."""
    return json.dumps({"target": asdict(target), "class": class_}, default=lambda data: data.decode("latin-1"))


def _request(facts: dict[str, Any]) -> Request:
    expect = {**facts["expect"], "length": facts["expect"]["length"] and tuple(facts["expect"]["length"])}
    headers = tuple((name, value) for name, value in facts["headers"])
    return Request(**{**facts, "headers": headers, "body": facts["body"].encode("latin-1"), "expect": Expect(**expect)})


def main(told: str) -> None:
    """Examine a target and print the results in one line."""
    facts = json.loads(told)
    target = Target(**{**facts["target"], "asked": _request(facts["target"]["asked"])})
    target = replace(target, others=tuple(map(_request, facts["target"]["others"])))
    with many_files():
        found = examine(target, facts["class"])
    print(json.dumps([asdict(gate) for gate in found]))  # noqa: T201 - for the process that started this one


if __name__ == "__main__":
    main(sys.argv[1])
