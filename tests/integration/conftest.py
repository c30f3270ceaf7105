"""What integration tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return a folder in which matrices are run with real wrk."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed: speedup doctor --install --for tests")
    made = Bench(tmp_path)
    yield made
    made.close()
