"""The command that takes the README's picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from docs import picture
from tests.integration.chromium import BROWSER
from tests.support.example_run import write_example

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a synthetic run's folder, in which no report has been written."""
    return write_example(tmp_path_factory.mktemp("picture") / "run", 1)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_a_picture_has_the_size_and_the_scheme_that_were_asked_for(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], scheme: str, width: int
) -> None:
    """A telephone's width too, which is narrower than a browser's own window can be."""
    file = tmp_path / "picture.png"

    assert picture.main([str(run), str(file), "--scheme", scheme, f"--width={width}", "--height=300"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    drawn = imread(file)
    assert drawn.shape[:2] == (300, width)
    assert (float(drawn[5, 5, :3].mean()) > 0.5) == (scheme == "light")
    assert sorted(path.name for path in run.iterdir()) == ["logs", "run.json", "trials.jsonl"]


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, and nothing is drawn."""
    with pytest.raises(SystemExit, match="1"):
        picture.main([str(tmp_path), str(tmp_path / "picture.png")])
    assert capsys.readouterr().err.startswith(f"picture: {tmp_path} is not a run folder")
    assert list(tmp_path.iterdir()) == []
