"""The users that Locust runs unless the matrix names a locustfile: the same request in a closed loop."""

from __future__ import annotations

import base64
import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, task


def _single(options: Any) -> dict[str, Any]:
    body = Path(options.body).read_bytes() if options.body else None
    return {"method": options.method, "url": options.path, "headers": json.loads(options.headers), "data": body}


@lru_cache
def _mix(file: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the requests of a mix, as arguments for Locust's client, and their weights."""
    described = json.loads(file.read_bytes())
    bodies, weights = ([each.pop(key) for each in described] for key in ("body", "weight"))
    requests = zip(described, bodies, strict=True)
    return [{**each, "data": base64.b64decode(body) or None} for each, body in requests], weights


class Client(FastHttpUser):
    """One connection that sends a request, waits for the answer, and sends the next."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Read what to request from the options."""
        options: Any = self.environment.parsed_options
        self.closes = options.mode == "non-persistent"
        self.requests, self.weights = _mix(Path(options.mix)) if options.mix else ([_single(options)], [1])
        for request in self.requests if self.closes else ():
            request["headers"]["Connection"] = "close"

    @task
    def ask(self) -> None:
        """Send one request, in non-persistent mode on its own connection."""
        [request] = random.choices(self.requests, self.weights)  # noqa: S311 - an order, not a secret
        self.client.request(**request)
        if self.closes:
            self.client.client.clientpool.close()
