"""`python -m tests.fuzzing.target NAME CORPUS SECONDS`: fuzzes one target; an input that fails ends the process."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import atheris

from tests.support import ROOT

OURS = ["runners", "reports", "speedup"]
MOST_BYTES = 4096
MOST_MEMORY_MB = 2048
MOST_S = 60  # for one input: far more than what a test allows, which tells better what hangs
MOST_SHOWN = 20_000


def main() -> None:
    """Instrument our code, and let atheris call the test; it ends the process itself."""
    name, corpus, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=OURS, enable_loader_override=False):
        from tests.fuzzing.targets import targets  # noqa: PLC0415 - what is imported before is not instrumented

        test = targets()[name]
    test.hypothesis.inner_test = _shown(test.hypothesis.inner_test)  # type: ignore[attr-defined]
    options = {
        "max_total_time": seconds,
        "max_len": MOST_BYTES,
        "rss_limit_mb": MOST_MEMORY_MB,
        "timeout": MOST_S,
        "print_final_stats": 1,
        "artifact_prefix": f"{Path(corpus).parent}/{name}-",
    }
    words = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *words, corpus], test.hypothesis.fuzz_one_input)  # type: ignore[attr-defined]
    atheris.Fuzz()


def _shown(inner: Any) -> Any:
    """Return a test that prints its arguments if it fails: they are what a test of their own is made from."""

    @functools.wraps(inner)
    def shown(*arguments: Any, **named: Any) -> Any:
        try:
            return inner(*arguments, **named)
        except BaseException as error:
            if type(error).__module__.partition(".")[0] != "hypothesis":  # it uses exceptions to stop an example
                sys.stderr.write(f"falsified by {named!r}"[:MOST_SHOWN] + f"\nin {ROOT.name}\n")
            raise

    return shown


if __name__ == "__main__":
    main()
