"""The list of load generators that a plan reads agrees with the generators themselves."""

from __future__ import annotations

from runners.loads import PACED_LOAD, TOOLS
from runners.loads.by_name import LOADS


def test_every_generator_is_listed_with_the_tool_that_it_runs() -> None:
    """A plan imports none of them."""
    assert {kind: load.tool for kind, load in LOADS.items()} == TOOLS
    assert PACED_LOAD in TOOLS
