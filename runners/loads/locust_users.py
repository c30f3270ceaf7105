"""The users that Locust runs unless the matrix names a locustfile: GET requests in a closed loop."""

from __future__ import annotations

from typing import Any

from locust import FastHttpUser, constant, task


class Client(FastHttpUser):
    """One connection that sends a request, waits for the answer, and sends the next."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Read what to request from the options."""
        options: Any = self.environment.parsed_options
        self.path = options.path
        self.closes = options.mode == "non-persistent"

    @task
    def ask(self) -> None:
        """Send one request, in non-persistent mode on its own connection."""
        if not self.closes:
            self.client.get(self.path)
            return
        self.client.get(self.path, headers={"Connection": "close"})
        self.client.client.clientpool.close()
