"""Runs all gates against one server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from runners.honesty.gates import crowd, garbage, single, slow
from runners.honesty.gates.talk import LONGEST_S, OUR_LACKS, Target, Unknown, Visit
from runners.matrix.model import Mode
from runners.records.run import Gate, GateKind
from runners.records.trial import Outcome
from runners.server.answers import Broken

TIMED = 3
# Which classes promise a gate of robustness. One of honesty is demanded of all: what fails it has no true number.
Promise = Literal["all but applications", "realistic", "nobody"]


@dataclass(frozen=True)
class Demand:
    """A gate: its id, its test, and whom it concerns.

    `kind` says what a failure means: a false number, or a badge beside it. `mode` limits it to a connection mode, if
    that is measured. It may need the server `alone`, and has a limit of time.
    """

    id: str
    test: Callable[[Visit], None]
    kind: GateKind = "robustness"
    promised: Promise = "all but applications"
    mode: Mode | None = None
    alone: bool = False
    limit_s: float = 10.0

    @property
    def text(self) -> str:
        """Return what it demands."""
        return (self.test.__doc__ or "").strip()

    def required(self, class_: str, target: Target) -> bool:
        """Return whether a server of a class must pass it; historic servers must pass what realistic ones must."""
        if self.why_not(target):
            return False
        if self.kind == "honesty":
            return True
        return {"all but applications": class_ != "application", "nobody": False}.get(
            self.promised, class_ in {"realistic", "historic"}
        )

    def why_not(self, target: Target) -> str | None:
        """Return why the gate does not concern a server; None if it does."""
        if self.mode == "persistent" and not target.keeps:
            return "it is measured only with one request per connection"
        if self.mode == "non-persistent" and not target.closes:
            return "it is measured only with persistent connections"
        return None


ALL = (
    Demand("count", single.counts, "honesty"),
    Demand("framing", single.frames, "honesty"),
    Demand("wait", single.waits, "honesty"),
    Demand("close", single.closes, "honesty", mode="non-persistent"),
    Demand("keep", single.keeps, "honesty", mode="persistent"),
    Demand("version", single.speaks_1_1),
    Demand("headers", single.names_itself, promised="realistic"),
    Demand("date", single.dates, promised="realistic"),
    Demand("split", single.waits_for_the_end),
    Demand("pipeline", single.pipelines, mode="persistent"),
    Demand("path", single.knows_paths, promised="realistic"),
    Demand("head", single.heads, promised="realistic"),
    Demand("body", single.consumes_bodies, promised="realistic"),
    Demand("announce", single.announces, mode="non-persistent"),
    Demand("http-1.0", single.closes_for_http_1_0),
    # The slow reader comes before the crowd, which leaves free memory behind that a server could fill unnoticed.
    Demand("slow-reader", slow.loses_nothing, mode="persistent", alone=True, limit_s=30.0),
    Demand("leave", crowd.frees_descriptors, alone=True),
    Demand("crowd", crowd.serves_a_crowd, alone=True),
    Demand("garbage", garbage.refuses_garbage, alone=True),
    Demand("strict", garbage.refuses_ambiguity, promised="nobody", alone=True),
)


def examine(target: Target, class_: str, demands: Sequence[Demand] = ALL) -> tuple[Gate, ...]:
    """Return the gates' results for a server that listens, within bounded time, whatever the server does.

    A server without persistent connections may serve one at a time, so it is never asked by two gates at once.
    """
    target = replace(target, brief=class_ == "application", took_s=_took_s(target))
    together = [demand for demand in demands if not demand.alone]
    with ThreadPoolExecutor(max_workers=max(1, len(together)) if target.keeps else 1) as pool:
        gates = list(pool.map(lambda demand: _judge(demand, target, class_), together))
    return (*gates, *(_judge(demand, target, class_) for demand in demands if demand.alone))


def _took_s(target: Target) -> float:
    """Return how long the server takes for a request, in seconds: the quickest of a few; 0 if it does not answer."""
    times: list[float] = []
    with contextlib.suppress(Broken, OSError):
        for _ in range(TIMED):
            visit, began = Visit(target, LONGEST_S), time.monotonic()
            with visit.talk() as talk:
                talk.ask(target.request())
            times.append(time.monotonic() - began)
    return min(times, default=0.0)


def _judge(demand: Demand, target: Target, class_: str) -> Gate:
    visit = Visit(target, demand.limit_s)
    outcome, saw = _outcome(demand, visit)
    sent, received = visit.words
    required = demand.required(class_, target)
    return Gate(demand.id, demand.text, required, outcome, saw, sent, received, demand.kind, demand.mode)


def _outcome(demand: Demand, visit: Visit) -> tuple[Outcome, str]:
    if why := demand.why_not(visit.target):
        return "unknown", why
    try:
        demand.test(visit)
    except Broken as broken:
        return "fail", str(broken)
    except Unknown as unknown:
        return "unknown", str(unknown)
    except OSError as error:
        ours = error.errno in OUR_LACKS
        return (
            ("unknown", f"this machine lacks a resource: {error}")
            if ours
            else ("fail", f"the connection broke: {error}")
        )
    except (ValueError, ArithmeticError, LookupError) as error:
        return "fail", f"it sends something that cannot be parsed: {error!r}"
    return "pass", ""
