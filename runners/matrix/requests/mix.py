"""Several requests that one cell's connections send in turn, each as often as its weight says. Pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from runners.matrix.requests.request import Request

LEAST_LENGTH = 1024  # so that neither the connections nor anything else falls into step with it
MOST_LENGTH = 10_000
SEED = 2015  # the order is the same for every server, trial and machine


@dataclass(frozen=True)
class Mix:
    """Requests, and the share of each as a whole number; `name` is empty if nothing else is asked."""

    name: str
    requests: tuple[Request, ...]
    weights: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Return the positions of the requests in the order to send, as a cycle in which the weights hold exactly."""
        common = math.gcd(*self.weights)
        once = [number for number, weight in enumerate(self.weights) for _ in range(weight // common)]
        cycle = once * math.ceil(LEAST_LENGTH / len(once))
        random.Random(SEED).shuffle(cycle)  # noqa: S311 - an order, not a secret
        return tuple(cycle)

    @property
    def error_share(self) -> float:
        """Return the share of its requests whose right answer has a status that load generators count as an error."""
        errors = sum(
            weight
            for request, weight in zip(self.requests, self.weights, strict=True)
            if request.expect.is_error_status
        )
        return errors / sum(self.weights)


Asked = Request | Mix  # what a cell's connections send
