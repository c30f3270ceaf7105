"""Which tests are targets: those of tests/unit/fuzz whose arguments all come from hypothesis."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.support import ROOT

FOLDER = ROOT / "tests/unit/fuzz"
Target = Callable[..., Any]


@cache
def targets() -> dict[str, Target]:
    """Return them by "module.test", without "test_"; importing them imports what they test."""
    found: dict[str, Target] = {}
    for file in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(_module(file))
        for name, test in sorted(vars(module).items()):
            if name.startswith("test_") and hasattr(test, "hypothesis") and not inspect.signature(test).parameters:
                found[f"{file.stem}.{name}".replace("test_", "")] = test
    return found


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)
