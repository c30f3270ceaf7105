"""`speedup reproduce` prints what it would run, and runs only what a named repository holds, hash by hash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.forms.page.html import render_report
from reports.forms.recipe import Recipe, Said, read_recipe, recipe_of
from reports.forms.summary import summarize
from reports.view.view import view_run
from runners.errors import BadInput
from runners.plan.planning import Options, make_plan
from runners.records.run import RunFolder, SourceInfo
from runners.run.job import new_job
from speedup import entry
from speedup.comparing.reproducing import again, check, checkout, plan_again, sentence
from tests.support.changes import Truth
from tests.support.example_run import example_run
from tests.unit.runners.server.revisions.test_checkouts import commit, git
from tests.unit.speedup.measure.test_compare import recorded

MATRIX = """
[suite]
title = "Mine"
[preset.quick]
warmup = "100ms"
duration = "1s"
[machine.local]
threads = [1]
connections = [8]
[server.one]
run = ["./one", "--port={port}"]
build = ["make", "one"]
[server.other]
run = ["./other", "--port={port}"]
[[table]]
title = "Speed"
mode = "persistent"
rows = ["one", "other"]
"""


@pytest.fixture(name="top")
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrk_on_path: object) -> Path:  # noqa: ARG001 - a fixture
    """Return a repository with a matrix and two servers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    top = tmp_path / "repository"
    top.mkdir()
    git(top, "init", "-q")
    for name in ("one", "other"):
        commit(top, f"servers/{name}/main.c", name)
    commit(top, "bench/readme.txt", "x")
    commit(top, "matrix.toml", MATRIX)
    return top


@pytest.fixture(name="run")
def begun_run(top: Path, tmp_path: Path) -> Path:
    """Return a run of that repository's commit, before its first trial."""
    plan = make_plan(Options(matrix=top / "matrix.toml", machine="local", load="wrk", seed=7))
    (tmp_path / "results").mkdir()
    return new_job(plan, tmp_path / "results").folder


def test_the_page_holds_what_the_run_folder_does(tmp_path: Path) -> None:
    """So a report that came by mail is enough."""
    made, trials, _ = example_run()
    made = replace(made, sources=(SourceInfo("servers/one", {"main.c": "0" * 64}),))
    folder = RunFolder(Path("nowhere"), made, trials)
    page = tmp_path / "report.html"
    page.write_text(render_report([folder]), encoding="utf-8")
    found = read_recipe(page)
    assert found == recipe_of(summarize(view_run(folder)))
    assert found.matrix == made.matrix
    assert any(said.verdict for said in found.verdicts)


def test_without_yes_everything_is_printed_and_nothing_is_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each source with its hash, each command, the tools, the seed."""
    assert entry.main(["reproduce", str(run)]) == 0
    out = capsys.readouterr().out
    for line in ("build one: make one", "run other: ./other '--port={port}'", "seed 7", "source: servers/one/main.c "):
        assert line in out
    assert out.splitlines()[-1] == "nothing was run; to do so: --repo DIR --yes"


def test_what_a_commit_holds_is_planned_again_with_the_same_seed_and_cells(top: Path, run: Path) -> None:
    """From a checkout that is gone afterwards; the repository stays as it was."""
    recipe = read_recipe(run)
    with checkout(recipe, top) as file:
        plan = plan_again(recipe, file)
        assert (plan.seed, len(plan.measurable)) == (7, len(recipe.cells) + sum(cell.twin for cell in plan.measurable))
    assert not file.exists()
    assert git(top, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"commit": ""}, "does not say which commit"),
        ({"commit": "HEAD~1"}, "no file of commit HEAD~1 is the matrix"),
        ({"commit": "nothing"}, "'nothing' is no revision"),
        ({"sources": ()}, "servers/one .of which no hashes are recorded"),
    ],
)
def test_what_is_not_in_the_repository_is_not_run(
    top: Path, run: Path, change: dict[str, object], complaint: str
) -> None:
    """Whoever wrote the report."""
    with pytest.raises(BadInput, match=complaint), checkout(replace(read_recipe(run), **change), top):  # type: ignore[arg-type]
        pass


def test_sources_that_differ_are_named_and_nothing_is_built(top: Path, run: Path) -> None:
    """A file that differs, one that is missing, one more."""
    recipe = read_recipe(run)
    wrong = tuple(
        replace(source, files={"gone.c": "0" * 64, "main.c": "1" * 64}) if source.dir == "servers/one" else source
        for source in recipe.sources
    )
    with (
        pytest.raises(BadInput, match=r"servers/one/gone.c is missing, servers/one/main.c differs; nothing was built"),
        checkout(replace(recipe, sources=wrong), top),
    ):
        pass


def test_hashes_outside_of_the_repository_are_not_looked_at(top: Path, run: Path) -> None:
    """A stranger's report might name any folder."""
    recipe = read_recipe(run)
    outside = (*recipe.sources, replace(recipe.sources[0], dir="../../.."))
    with pytest.raises(BadInput, match="lies outside"), checkout(replace(recipe, sources=outside), top):
        pass


def test_yes_needs_a_repository_and_comparisons_are_measured_elsewhere(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message each, exit code 2."""
    assert entry.main(["reproduce", str(run), "--yes"]) == 2
    assert "--yes needs --repo DIR" in capsys.readouterr().err
    assert entry.main(["reproduce", recorded(tmp_path / "c", Truth())]) == 2
    assert "measure it again with speedup compare" in capsys.readouterr().err
    (tmp_path / "page.html").write_text("<p>Hello</p>", encoding="utf-8")
    assert entry.main(["reproduce", str(tmp_path / "page.html")]) == 2
    assert "holds nothing to reproduce" in capsys.readouterr().err


def test_verdicts_are_matched_by_place_and_figure() -> None:
    """One that is not measured now is not resolved."""
    before = Said(("T", "one"), "faster", "requests_per_s", 1.2, 1.1, 1.3)
    found = (
        again(before, replace(before, ratio=1.25)),
        again(before, replace(before, verdict="slower", low=0.8, high=0.9)),
        again(before, replace(before, figure="server_cpu_us_per_request")),
        again(before, None),
    )
    assert [each.outcome for each in found] == ["reproduced", "contradicted", "not resolved", "not resolved"]
    assert sentence(found) == "Of 4 verdicts, 1 were reproduced, 1 contradicted and 2 not resolved."
    assert found[1].text == ("contradicted: T, one: faster (1.100 to 1.300); now slower (0.800 to 0.900)")


def test_a_damaged_recipe_is_said_to_be_damaged(tmp_path: Path) -> None:
    """A page may have been edited."""
    page = tmp_path / "report.html"
    page.write_text('<a download="x-recipe.json" href="data:,%7B%7D">', encoding="utf-8")
    with pytest.raises(BadInput, match="its recipe is damaged"):
        read_recipe(page)


def test_a_recipe_of_a_fleet_is_not_reproduced_here(run: Path) -> None:
    """Its clients are elsewhere."""
    recipe: Recipe = replace(read_recipe(run), kind="fleet")
    with pytest.raises(BadInput, match="loaded from other machines"):
        check(recipe)
