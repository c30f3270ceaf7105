"""Servers of the shapes that people have get a valid number from their start command alone, and no file is edited."""

from __future__ import annotations

import pytest

from runners.errors import UnfitMachine
from tests.support import shapes
from tests.support.bench import Bench
from tests.support.shelf import free_port

pytestmark = [pytest.mark.measures, pytest.mark.timeout(600)]

MATRIX = ("--matrix", "matrix.toml", "--preset", "smoke")
SHAPES = [  # and "timestamp", in tests/integration
    "two-writes",
    "http-1.0",
    "chunked",
    "stdin",
    "ignores-close",
    "slow-start",
    "slow-answer",
    "pool",
    "recycling",
    "prefork",
    "proxy",
    "short-queue",
    "links",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_of_any_usual_shape_is_measured(bench: Bench, shape: str) -> None:
    """It reads PORT, as most do; nobody has to say so."""
    bench.initialize(shapes.command(shape))
    bench.assert_measured()


def test_a_server_that_is_told_its_port_is_measured(bench: Bench) -> None:
    """Another one in each trial."""
    bench.initialize(shapes.command("plain", "{port}"))
    bench.assert_measured()


def test_a_server_on_a_fixed_port_is_measured(bench: Bench) -> None:
    """The matrix says which one."""
    port = free_port()
    bench.initialize(shapes.command("plain", str(port)))
    assert f"port = {port}" in bench.matrix.read_text(encoding="utf-8")
    bench.assert_measured()


def test_two_servers_on_the_same_fixed_port_are_compared(bench: Bench) -> None:
    """They are examined one after the other, and each trial has a network of its own, even in a duet."""
    port = free_port()
    words = [word for _ in range(2) for word in ("--server", shapes.command("plain", str(port)))]
    ended = bench.run("run", *words, "--preset", "smoke", "--network", "namespace", timeout_s=590)
    if ended.code == UnfitMachine.exit_code:
        pytest.skip("network namespaces are not permitted here, so only one server can have the port")
    assert ended.out.strip().endswith("report.html"), ended.err
    assert {honesty.variant for honesty in bench.read().run.honesty if not honesty.failed} == {"shapes", "shapes-2"}
    assert not [trial.reason for trial in bench.read().trials if trial.verdict == "failed"]


def test_the_ruler_that_init_adds_stands_beside_an_application(bench: Bench) -> None:
    """It answers the same JSON."""
    bench.initialize(shapes.command("timestamp"))
    bench.share_cache()
    ended = bench.run("run", *MATRIX, "--only", "floor", timeout_s=590)
    assert ended.code == 0, ended.err
