"""Examines one server: `python -m runners.honesty.gates FILE` with a target in JSON prints the gates' results in JSON.

It has its own process for two reasons: it opens 1,100 connections, more than a server started by the harness may, and
it uses threads, which would be dangerous in the harness while that starts programs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from runners.honesty.gates import Target, examine, many_files
from runners.matrix.requests.described import as_text, request_from


def words(target: Target, class_: str) -> str:
    """Return the content of this program's file: a target and a class."""
    return json.dumps({"target": asdict(target), "class": class_}, default=as_text)


def main(file: Path) -> None:
    """Examine the target in a file and print the results in one line."""
    facts = json.loads(file.read_bytes())
    target = Target(**{**facts["target"], "asked": request_from(facts["target"]["asked"])})
    target = replace(target, others=tuple(map(request_from, facts["target"]["others"])))
    with many_files():
        found = examine(target, facts["class"])
    print(json.dumps([asdict(gate) for gate in found]))  # noqa: T201 - for the process that started this one


if __name__ == "__main__":
    main(Path(sys.argv[1]))
