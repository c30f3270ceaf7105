"""The files inside the report, as a real browser saves them."""

from __future__ import annotations

import csv
import fcntl
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reports.forms.writing import write_as
from runners.records.folder import read_trials
from tests.support.example_run import write_example

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DEADLINE_S = 60.0
AS_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@dataclass
class Browser:
    """A browser without a window that is told what to do through two pipes, in JSON ended by a zero byte."""

    to: int
    back: int
    number: int = 0
    unread: bytes = b""
    session: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to one command; events on the way are passed over."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": arguments, **self.session}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def read(self) -> dict[str, Any]:
        """Return the next message."""
        while b"\0" not in self.unread:
            data = os.read(self.back, 65536)
            assert data, "the browser ended"
            self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return dict(json.loads(message))

    def value(self, expression: str) -> Any:
        """Return what an expression is in the open page, as if a person had acted."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        return answer["result"].get("value")


def far(descriptor: int) -> int:
    """Return a copy of a descriptor that is not in the way of 3 and 4, where the browser wants its pipes."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return copy


@contextmanager
def browsing(page: Path, saved: Path, profile: Path) -> Iterator[Browser]:
    """Open a page in a browser that saves what is downloaded into a folder."""
    (there, to), (back, here) = os.pipe(), os.pipe()
    there, here = far(there), far(here)
    command = [
        sys.executable, "-c", AS_3_AND_4, str(there), str(here), str(BROWSER), "--headless", "--no-sandbox",
        "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--remote-debugging-pipe",
    ]  # fmt: skip
    started = subprocess.Popen(
        command, pass_fds=(there, here), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.close(there)
    os.close(here)
    browser = Browser(to, back)
    try:
        browser.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(saved))
        target = browser.ask("Target.createTarget", url=page.as_uri())["targetId"]
        session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.session = {"sessionId": session}
        wait_until(lambda: browser.value("document.readyState == 'complete' && !!document.querySelector('footer')"))
        yield browser
        browser.session = {}
        browser.ask("Browser.close")
    finally:
        os.close(to)
        os.close(back)
        started.kill()
        started.wait()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_files_in_the_page_are_saved_whole(tmp_path: Path) -> None:
    """A click saves them under their names, whatever the page's policy forbids."""
    page = write_as([write_example(tmp_path / "run")], "html")
    saved = tmp_path / "saved"
    saved.mkdir()

    with browsing(page, saved, tmp_path / "profile") as browser:
        names = browser.value("[...document.querySelectorAll('a[download]')].map(link => link.download)")
        for name in names:
            browser.value(f"document.querySelector('a[download=\"{name}\"]').click()")
            wait_until((saved / name).exists)

    assert len(names) == 3
    rows = list(csv.DictReader((saved / names[0]).read_text(encoding="utf-8").splitlines()))
    data = json.loads((saved / names[1]).read_text(encoding="utf-8"))
    assert {"requests_per_s", "server_cpu_us_per_request", "rss_bytes"} <= rows[0].keys()
    assert any(row["row"] == "jester" and row["published_requests_per_s"] == "6597" for row in rows)
    assert sum(len(cell["trials"]) for cell in data["cells"]) == len(read_trials(tmp_path / "run"))
    outputs = gzip.decompress((saved / names[2]).read_bytes()).decode()
    assert outputs.count("Running 1s test @ ") == len(read_trials(tmp_path / "run"))
