"""The fake load generator as the harness sees it: honest, or with a chosen lie."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runners.loads.base import LoadFailed, LoadJob, LoadResult, Phase
from runners.loads.by_name import LOADS
from runners.matrix.requests.mix import Asked, Mix
from runners.records.trial import Errors

CLIENT = Path(__file__).with_name("fakes") / "client.py"
RESULT = "fake:result "
PATIENCE_S = 1.5


@dataclass(frozen=True)
class Fake:
    """A load generator written in Python, with one thread, for persistent connections."""

    lie: str
    tool: str = "python"

    @property
    def kind(self) -> str:
        """Return its name in records."""
        return f"fake-{self.lie}"

    @property
    def warms_apart(self) -> bool:
        """Return True: its warm-up is a command of its own."""
        return True

    def threads(self, connections: int, cpus: int, wanted: int | None) -> int:  # noqa: ARG002
        """Return 1: the program has one thread."""
        return 1

    def refusal(self, asked: Asked) -> str | None:  # noqa: ARG002 - it is never asked for anything else
        """Return None."""
        return None

    def mix_file(self, mix: Mix, job: LoadJob) -> bytes:  # noqa: ARG002
        """Raise LoadFailed, since it sends none."""
        raise LoadFailed(f"a fake generator cannot send the mix {mix.name}")

    def phases(self, job: LoadJob) -> tuple[Phase, ...]:
        """Return an honest warm-up, then the measured command."""
        warmup = Phase("warm-up", _command(job, job.warmup_s, "none"), job.warmup_s + 10)
        return (warmup, Phase("load", _command(job, job.duration_s, self.lie), job.duration_s + PATIENCE_S))

    def parse(self, output: str, job: LoadJob) -> LoadResult:  # noqa: ARG002
        """Return what the fake printed; raise LoadFailed if that is nothing."""
        lines = [line for line in output.splitlines() if line.startswith(RESULT)]
        if not lines:
            raise LoadFailed("the generator printed no result")
        facts = json.loads(lines[-1].removeprefix(RESULT))
        return LoadResult(
            requests=facts["requests"],
            duration_us=facts["duration_us"],
            bytes_read=facts["bytes"],
            errors=Errors(**facts["errors"]),
            latency={int(value): count for value, count in facts["latency"].items()},
            client_cpu_us=facts["cpu_us"],
            counted_twice=True,
        )


def _command(job: LoadJob, duration_s: float, lie: str) -> tuple[str, ...]:
    where = (f"--port={job.port}", f"--connections={job.connections}")
    return (sys.executable, str(CLIENT), *where, f"--duration-s={duration_s:g}", f"--lie={lie}")


@contextlib.contextmanager
def known(kind: str) -> Iterator[None]:
    """Register a fake generator by its name for the duration."""
    if kind in LOADS:
        yield
        return
    LOADS[kind] = Fake(kind.removeprefix("fake-"))
    try:
        yield
    finally:
        del LOADS[kind]
