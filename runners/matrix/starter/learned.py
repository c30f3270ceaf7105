"""What was learned about a server by starting and asking it: enough to write its matrix. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runners.matrix.model import Mode
from runners.matrix.requests.request import Expect
from runners.matrix.starter.expecting import expectation

USUAL_CONNECTIONS = 64


@dataclass(frozen=True)
class Launch:
    """How a server is started so that it listens where it is asked: its command, its environment, its own port.

    `port` is None if it can be told which one to use.
    """

    run: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None


@dataclass(frozen=True)
class Learned:
    """What a server answered to a path: some of its bodies, in which modes, how fast, and to how many at once.

    `body` is the exact body to demand, None: whatever the answers have in common. `ready_s` is the time from its start
    to the first right answer, `took_s` that of an ordinary answer. `accept_queue` is how many connections can wait to
    be accepted, if that is why there are no more `connections`: load generators open all of theirs at once.
    """

    path: str
    status: int
    content_type: str
    bodies: tuple[bytes, ...]
    modes: tuple[Mode, ...]
    connections: int
    took_s: float
    ready_s: float = 0.0
    body: str | None = None
    method: str = "GET"
    accept_queue: int | None = None

    @property
    def why_no_more(self) -> str:
        """Return why it is not measured with more connections; empty if with as many as is usual."""
        if self.accept_queue is not None:
            return f"its accept queue holds {self.accept_queue}: more could be dropped"
        return "" if self.connections >= USUAL_CONNECTIONS else "more were not answered at once"

    @property
    def expect(self) -> Expect:
        """Return what its answers must look like."""
        if self.body is not None:
            return Expect(self.status, body=self.body)
        return expectation(self.status, self.bodies)


def together(learned: Sequence[Learned]) -> Learned:
    """Return what several servers have in common, so that all can be asked alike; no modes if they share none."""
    first = learned[0]
    return Learned(
        path=first.path,
        status=first.status,
        content_type=first.content_type,
        bodies=tuple(body for each in learned for body in each.bodies),
        modes=tuple(mode for mode in first.modes if all(mode in each.modes for each in learned)),
        connections=min(each.connections for each in learned),
        took_s=max(each.took_s for each in learned),
        ready_s=max(each.ready_s for each in learned),
        body=first.body,
        accept_queue=min((each.accept_queue for each in learned if each.accept_queue is not None), default=None),
    )
