"""A machine that has wrk and nothing else, for tests that plan and measure nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

WRK = "#!/bin/sh\necho 'wrk 4.1.0'\n"


def only_wrk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let programs find wrk alone, and let their cache be in `folder`; return where it lies."""
    tool = folder / "bin/wrk"
    tool.parent.mkdir()
    tool.write_text(WRK, encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return tool.parent
