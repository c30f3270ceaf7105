"""A worker that is not as it should be: `odd_worker.py ODDITY worker ...`, the rest as for `speedup worker`."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from runners.loads.fleet.wire.messages import HostResult, Message  # noqa: E402
from runners.loads.fleet.worker import joining, worker  # noqa: E402
from speedup import entry  # noqa: E402


def clock() -> None:
    """Let this host's clock be 5 s ahead."""
    real = time.time_ns
    time.time_ns = lambda: real() + 5_000_000_000


def version() -> None:
    """Have another version of http-speedup."""
    setattr(joining, "VERSION", "9.9.9")  # noqa: B010 - not one of its exports


def wrk() -> None:
    """Have another wrk first on the PATH."""
    folder = Path(tempfile.mkdtemp(prefix="odd-"))
    other = folder / "wrk"
    other.write_text("#!/bin/sh\necho 'wrk 9.9.9 [epoll]'\nexit 1\n", encoding="ascii")
    other.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def token() -> None:
    """Hold another token."""
    setattr(joining, "read_token", lambda _file: "another token of many characters")  # noqa: B010


class Liar(worker.Worker):
    """Answers the first order for another trial, counts tenfold for the second, and talks nonsense for the third."""

    results = 0

    def _say(self, message: Message) -> None:
        if not isinstance(message, HostResult):
            super()._say(message)
            return
        self.results += 1
        if self.results == 1:
            super()._say(message.model_copy(update={"trial": "0" * 32}))
        elif self.results == 2:
            super()._say(message.model_copy(update={"output": tenfold(message.output)}))
        elif self.results == 3 and self.seal is not None:
            self.link.send(self.seal.wrap('{"kind": "result", "trial": 1, "surprise": true}'))
        else:
            super()._say(message)


def tenfold(output: str) -> str:
    """Return wrk's output with ten times the requests, in the summary and in the histogram."""
    output = re.sub(r"\brequests=(\d+)", lambda found: f"requests={found[1]}0", output)
    output = re.sub(r"\bbytes=(\d+)", lambda found: f"bytes={found[1]}0", output)
    return re.sub(r"(speedup:histogram )(.*)", lambda found: found[1] + re.sub(r":(\d+)", r":\g<1>0", found[2]), output)


def lies() -> None:
    """Be a liar."""
    setattr(joining, "Worker", Liar)  # noqa: B010


def main() -> int:
    """Become odd, then be a worker."""
    oddity, *words = sys.argv[1:]
    odd: dict[str, Callable[[], None]] = {
        "clock": clock, "version": version, "wrk": wrk, "token": token, "lies": lies,
    }  # fmt: skip
    odd[oddity]()
    return entry.main(words)


if __name__ == "__main__":
    sys.exit(main())
