"""Chromium without a window, spoken to over a pipe in its DevTools protocol: no driver, no port, no library.

Messages are JSON, each ended by a NUL: the browser reads them from descriptor 3 and answers on 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
DEADLINE_S = 90.0
MOVE_PIPES = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
FREE = 10  # descriptors from here on cannot be in the way of 3 and 4


class Chromium:
    """A browser for some pages; use it with `with`."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        self.number = 0
        self.waiting = b""
        self.pages: dict[str, Page] = {}

    def __enter__(self) -> Self:
        """Start the browser."""
        reads, writes = os.pipe(), os.pipe()
        theirs = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, FREE) for descriptor in (reads[0], writes[1])]
        argv = [
            sys.executable,
            "-c",
            MOVE_PIPES,
            *map(str, theirs),
            str(BROWSER),
            *OPTIONS,
            f"--user-data-dir={self.profile}",
        ]
        self.process = subprocess.Popen(argv, pass_fds=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.to, self.come = reads[1], writes[0]
        for descriptor in (*theirs, reads[0], writes[1]):
            os.close(descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the browser, and end it where it does not."""
        try:
            self.call("Browser.close")
            self.process.wait(5)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.come)

    def open(self, url: str, *, width: int = 1280, height: int = 900, scheme: str = "light", media: str = "") -> Page:
        """Open a page in a window of so many pixels and wait until it is loaded; `media` may be print."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        page.call(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        page.go(url)
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result; what happens meanwhile goes to its page."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data) :]
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self) -> dict[str, Any]:
        """Return the next message; an event is noted at its page first."""
        deadline = time.monotonic() + DEADLINE_S
        while b"\0" not in self.waiting:
            ready, _, _ = select.select([self.come], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self.come, 1 << 16) if ready else b""
            if not data:
                raise TimeoutError("the browser does not answer")
            self.waiting += data
        line, _, self.waiting = self.waiting.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        page = self.pages.get(message.get("sessionId", ""))
        if page and "method" in message:
            page.note(message["method"], message["params"])
        return message


class Page:
    """One page: what it asked for, what it complained about, and what is in it."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self.browser = browser
        self.session = session
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.loaded = False

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol for this page."""
        return self.browser.call(method, self.session, **parameters)

    def note(self, method: str, parameters: dict[str, Any]) -> None:
        """Remember an event."""
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def go(self, url: str) -> None:
        """Load a page and wait for it; the same page with another fragment is not loaded anew."""
        self.loaded = False
        if self.call("Page.navigate", url=url).get("loaderId"):
            while not self.loaded:
                self.browser.receive()

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys one after another, like Tab and Enter."""
        for key in keys:
            text = {"Enter": "\r", " ": " "}.get(key, "")
            codes = {"Enter": 13, "Tab": 9, " ": 32}
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "",
                          windowsVirtualKeyCode=codes.get(key, 0))  # fmt: skip

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16_000), "scale": 1}
            data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        file.write_bytes(base64.b64decode(data))

    def pdf(self, file: Path) -> None:
        """Write what a printer would get."""
        answer = self.call("Page.printToPDF", preferCSSPageSize=True, displayHeaderFooter=False)
        file.write_bytes(base64.b64decode(answer["data"]))
