"""Examines one server: `python -m runners.honesty.gates` with a target as JSON prints what the gates say, as JSON.

In a process of its own, since 1,100 connections are more than the servers that the harness starts may open, and since
threads beside the harness's starts of programs would be a danger.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from runners.honesty.gates import Target, examine, many_files


def words(target: Target, class_: str) -> str:
    """Return what this program is told on its command line."""
    return json.dumps({"target": {**asdict(target), "body": target.body.decode("latin-1")}, "class": class_})


def main(told: str) -> None:
    """Examine a target and print one line."""
    facts = json.loads(told)
    target = Target(**{**facts["target"], "body": facts["target"]["body"].encode("latin-1")})
    with many_files():
        found = examine(target, facts["class"])
    print(json.dumps([asdict(gate) for gate in found]))  # noqa: T201 - for the process that started this one


if __name__ == "__main__":
    main(sys.argv[1])
