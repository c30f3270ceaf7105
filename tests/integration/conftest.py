"""What integration tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a folder in which matrices are run with real wrk."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed: speedup doctor --install --for tests")
    return Bench(tmp_path)
