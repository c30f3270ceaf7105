"""What tests of reports share."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing of plots, which takes most of a report's time, where a test is about something else."""

    def drawn(_figure: Figure, identifier: str, title: str, _description: str) -> str:
        return f'<svg class="plot" id="{identifier}"><title>{title}</title></svg>'

    for module in ("curves", "over_time"):
        monkeypatch.setattr(f"reports.plots.{module}.svg_of", drawn)
