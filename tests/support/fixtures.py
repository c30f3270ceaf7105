"""Fixtures that integration and acceptance tests share.

`server` runs the program that a module's own fixture `program` names.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.shelf import ServerUnderTest, Shelf, Started
from tests.support.wire import Wire


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Return what builds and starts the servers of matrix.toml."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def server(program: ServerUnderTest, shelf: Shelf) -> Iterator[Started]:
    """Return each server in turn, running. At the end of its tests it must still be alive."""
    with shelf.running(program) as started:
        yield started
        assert started.process.poll() is None


@pytest.fixture
def wire(server: Started) -> Iterator[Wire]:
    """Return a connection to the server."""
    with Wire(server.port) as wire:
        yield wire


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return a folder in which matrices are run with real wrk."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed: speedup doctor --install --for tests")
    made = Bench(tmp_path)
    yield made
    made.close()
