"""The users that Locust runs unless the matrix names a locustfile: the same request in a closed loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, task


class Client(FastHttpUser):
    """One connection that sends a request, waits for the answer, and sends the next."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Read what to request from the options."""
        options: Any = self.environment.parsed_options
        self.method, self.path = options.method, options.path
        self.body = Path(options.body).read_bytes() if options.body else None
        self.headers = json.loads(options.headers)
        self.closes = options.mode == "non-persistent"
        if self.closes:
            self.headers["Connection"] = "close"

    @task
    def ask(self) -> None:
        """Send one request, in non-persistent mode on its own connection."""
        self.client.request(self.method, self.path, headers=self.headers, data=self.body)
        if self.closes:
            self.client.client.clientpool.close()
