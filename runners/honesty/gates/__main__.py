"""Examines one server: `python -m runners.honesty.gates` with a target as JSON prints the gates' results as JSON.

It has its own process for two reasons: it opens 1,100 connections, more than a server started by the harness may, and
it uses threads, which would be dangerous in the harness while that starts programs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from runners.honesty.gates import Target, examine, many_files


def words(target: Target, class_: str) -> str:
    """Return this program's argument: a target and a class, as JSON."""
    return json.dumps({"target": {**asdict(target), "body": target.body.decode("latin-1")}, "class": class_})


def main(told: str) -> None:
    """Examine a target and print the results in one line."""
    facts = json.loads(told)
    target = Target(**{**facts["target"], "body": facts["target"]["body"].encode("latin-1")})
    with many_files():
        found = examine(target, facts["class"])
    print(json.dumps([asdict(gate) for gate in found]))  # noqa: T201 - for the process that started this one


if __name__ == "__main__":
    main(sys.argv[1])
