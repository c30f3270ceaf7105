"""How many examples a model test tries: few among the unit tests, as many as wanted in a run of its own."""

from __future__ import annotations

import os

VARIABLE = "HTTP_SPEEDUP_EXAMPLES"


def examples(usual: int) -> int:
    """Return the number in the environment, else the usual one: HTTP_SPEEDUP_EXAMPLES=10000 pytest -k model."""
    return int(os.environ.get(VARIABLE, usual))
