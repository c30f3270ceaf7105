"""Runs all gates against one server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from runners.honesty.gates import crowd, garbage, single, slow
from runners.honesty.gates.talk import OUR_LACKS, Target, Unknown, Visit
from runners.records.run import Gate
from runners.records.trial import Outcome
from runners.server.answers import Broken

Need = Literal["always", "realistic", "kept", "never"]


@dataclass(frozen=True)
class Demand:
    """A gate: its id, its test, who must pass it, whether it needs the server to itself, and its limit of time."""

    id: str
    test: Callable[[Visit], None]
    needed: Need = "always"
    alone: bool = False
    limit_s: float = 10.0

    @property
    def text(self) -> str:
        """Return what it demands."""
        return (self.test.__doc__ or "").strip()

    def required(self, class_: str, target: Target) -> bool:
        """Return whether a server of a class must pass it; historic servers must pass what realistic ones must."""
        return {
            "always": True,
            "realistic": class_ != "stripped",
            "kept": target.keeps,
            "never": False,
        }[self.needed]


ALL = (
    Demand("count", single.counts),
    Demand("framing", single.frames),
    Demand("headers", single.names_itself, "realistic"),
    Demand("date", single.dates, "realistic"),
    Demand("split", single.waits_for_the_end),
    Demand("pipeline", single.pipelines, "kept"),
    Demand("path", single.knows_paths, "realistic"),
    Demand("head", single.heads, "realistic"),
    Demand("body", single.consumes_bodies, "realistic"),
    Demand("close", single.closes),
    Demand("http-1.0", single.closes_for_http_1_0),
    Demand("keep", single.keeps, "kept"),
    # The slow reader comes before the crowd, which leaves free memory behind that a server could fill unnoticed.
    Demand("slow-reader", slow.loses_nothing, "kept", alone=True, limit_s=30.0),
    Demand("leave", crowd.frees_descriptors, alone=True),
    Demand("crowd", crowd.serves_a_crowd, alone=True),
    Demand("garbage", garbage.refuses_garbage, alone=True),
    Demand("strict", garbage.refuses_ambiguity, "never", alone=True),
)


def examine(target: Target, class_: str, demands: Sequence[Demand] = ALL) -> tuple[Gate, ...]:
    """Return the gates' results for a server that listens, within bounded time, whatever the server does.

    A server without persistent connections may serve one at a time, so it is never asked by two gates at once.
    """
    together = [demand for demand in demands if not demand.alone]
    with ThreadPoolExecutor(max_workers=max(1, len(together)) if target.keeps else 1) as pool:
        gates = list(pool.map(lambda demand: _judge(demand, target, class_), together))
    return (*gates, *(_judge(demand, target, class_) for demand in demands if demand.alone))


def _judge(demand: Demand, target: Target, class_: str) -> Gate:
    visit = Visit(target, demand.limit_s)
    outcome, saw = _outcome(demand, visit)
    sent, received = visit.words
    return Gate(demand.id, demand.text, demand.required(class_, target), outcome, saw, sent, received)


def _outcome(demand: Demand, visit: Visit) -> tuple[Outcome, str]:
    if demand.needed == "kept" and not visit.target.keeps:
        return "unknown", "it is measured only with one request per connection"
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
