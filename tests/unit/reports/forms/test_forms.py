"""One run in every form: the same folder gives the same bytes; the command line says where they went."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from reports.forms.about import GENERATOR
from reports.forms.index import index_entries, write_index
from reports.forms.redaction import redacted
from reports.forms.summary import pace_of
from reports.forms.writing import FILES, read_all, render_as, write_as
from runners.errors import BadInput
from runners.records.folder import read_run, write_run
from runners.records.run import Run
from runners.revision import commit_of
from speedup import entry
from tests.support import ROOT
from tests.support.example_run import HOSTILE, example_run, write_example, write_folder

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a synthetic run folder."""
    return write_example(tmp_path_factory.mktemp("forms") / "run", 2, threads=(1,))


def silent(_line: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("form", FILES)
def test_the_same_folder_gives_the_same_bytes(form: str, run: Path, tmp_path: Path) -> None:
    """In every form, wherever it lies and however often it is made."""
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    first = write_as([run], form).read_bytes()

    assert write_as([run], form).read_bytes() == first
    assert write_as([moved], form, tmp_path / "elsewhere").read_bytes() == first


def test_an_index_is_the_same_when_made_again(run: Path, tmp_path: Path) -> None:
    """Itself is not among what it lists."""
    shutil.copytree(run, tmp_path / "a")
    write_as([tmp_path / "a"], "html")
    first = write_index(tmp_path, silent).read_bytes()

    assert write_index(tmp_path, silent).read_bytes() == first
    assert first.count(b'<td class="words"><time ') == 1


def many(run: Path, folder: Path) -> Path:
    """Return a folder with a mailed report, a run with one, a newer run without one, and pages that are no reports."""
    (folder / "mailed").mkdir()
    write_as([run], "html", folder / "mailed" / "a & b #1.html")
    for name, began in {"2026/old": "2026-01-02T03:04:05+00:00", "2026/new": "2027-01-02T03:04:05+00:00"}.items():
        shutil.copytree(run, folder / name, ignore=shutil.ignore_patterns("report.*"))
        head = dataclasses.replace(read_run(folder / name), started_at=began)
        write_run(folder / name, dataclasses.replace(head, facts={**head.facts, "commit": "0123456789ab"}))
    write_as([folder / "2026/old"], "html")
    (folder / "page.html").write_text("<title>x</title><meta name=generator content=other>", encoding="utf-8")
    return folder


def test_an_index_lists_reports_and_runs_the_newest_first(run: Path, tmp_path: Path) -> None:
    """With machine, time, commit and answer; a run without a report has no link, and is told of."""
    said: list[str] = []
    entries = index_entries(many(run, tmp_path))
    text = write_index(tmp_path, said.append).read_text(encoding="utf-8")

    assert [(entry.path, entry.link) for entry in entries] == [
        ("2026/new", ""),
        ("mailed/a & b #1.html", "./mailed/a%20%26%20b%20%231.html"),
        ("2026/old/report.html", "./2026/old/report.html"),
    ]
    assert [entry.about.commit for entry in entries] == ["0123456789ab", "", "0123456789ab"]
    assert entries[2].about.machine == "local (Example CPU @ 2.50GHz)"
    assert entries[2].about.answer.startswith("Optimizing standard library: asynchttp with --gc:markandsweep needs")
    assert '<time datetime="2026-01-02T03:04:05+00:00">2026-01-02 03:04</time>' in text
    assert "no report yet" in text
    assert len(said) == 1
    assert said[0].endswith(f"report {tmp_path / '2026/new'}")


def test_an_index_loads_nothing_and_links_only_downwards(run: Path, tmp_path: Path) -> None:
    """For any web space; without a script."""
    text = write_index(many(run, tmp_path), silent).read_text(encoding="utf-8")
    links = re.findall(r'(?:href|src)="([^"]*)"', text)

    assert all(link.startswith(("./", "data:")) for link in links)
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_hostile_text_is_shown_as_text_in_an_index(tmp_path: Path) -> None:
    """Of titles, machines, commits and folders' names."""
    head, trials, logs = example_run(1, threads=(1,))
    named = dataclasses.replace(head, machine_title=HOSTILE, facts={"commit": HOSTILE})
    write_as([write_folder(tmp_path / "<b>\"'&" / "run", named, trials, logs)], "html")
    text = write_index(tmp_path, silent).read_text(encoding="utf-8")

    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)


def test_an_index_follows_tables_over_time_and_machines_side_by_side(tmp_path: Path) -> None:
    """From what each report's head says; a head that claims nonsense adds nothing."""
    head, trials, logs = example_run(12, threads=(1,))
    for name, machine, day in (("a", "laptop", "01"), ("b", "laptop", "02"), ("c", "server", "03")):
        named = dataclasses.replace(head, machine_title=machine, started_at=f"2026-01-{day}T00:00:00Z")
        write_as([write_folder(tmp_path / name, named, trials, logs)], "html")
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    claim = re.findall(r'<meta name="speedup-findings" content="[^"]*">', page)[0]
    for number, content in enumerate(("{", "[1]", '[{"table": "x"}]')):
        wrong = f'<meta name="speedup-findings" content="{content.replace(chr(34), "&quot;")}">'
        (tmp_path / f"wrong{number}.html").write_text(page.replace(claim, wrong), encoding="utf-8")
    text = write_index(tmp_path, silent).read_text(encoding="utf-8")

    assert "<h2>Current numbers, with persistent connections</h2>" in text
    assert '<svg class="plot" id="history-1-plot"' in text
    assert re.search(r"<th scope=\"col\">laptop</th>\s*<th scope=\"col\">server</th>", text)
    assert re.search(r"epoll \(with edge-triggering\)</th>\s*<td><b>6\.\d\d", text)
    assert text.count('<td class="words">laptop</td>') == 5


def test_a_run_that_cannot_be_read_does_not_hide_the_others(run: Path, tmp_path: Path) -> None:
    """It is listed, and that it cannot be read."""
    many(run, tmp_path)
    (tmp_path / "2026/new/run.json").write_text("{", encoding="utf-8")

    broken = next(entry for entry in index_entries(tmp_path) if entry.path == "2026/new")

    assert broken.about.answer == "run.json cannot be read"


def test_a_report_outside_of_the_folder_is_not_listed(run: Path, tmp_path: Path) -> None:
    """A link may lead anywhere; the web space has only what lies below."""
    (tmp_path / "inside").mkdir()
    page = write_as([run], "html", tmp_path / "outside.html")
    (tmp_path / "inside" / "link.html").symlink_to(page)

    with pytest.raises(BadInput, match="no report found in"):
        write_index(tmp_path / "inside", silent)


def test_a_report_says_what_it_is_about(run: Path) -> None:
    """In its head, above everything long."""
    text = render_as(read_all([run]), "html")

    assert f'<meta name="generator" content="{GENERATOR}">' in text[: text.index("<style>")]


def test_a_report_shows_whether_the_numbers_agree(run: Path) -> None:
    """The run's own, and the published ones beside it."""
    text = render_as(read_all([run]), "html")
    section = text[text.index('id="consistency"') : text.index('id="builds"')]

    assert "<li>local (Example CPU @ 2.50GHz): no contradictions.</li>" in section
    assert "asynchttp: 13746 requests per second, persistent and non-persistent" in section
    assert "wrk -c 400 -t 12 opens 396 connections" in section


def report(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    """Return the exit code, and what was printed, of `speedup report`."""
    code = entry.main(["report", *map(str, argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(("form", "begins"), [("html", "<!DOCTYPE html>"), ("md", "# Nim"), ("txt", "# Nim")])
def test_a_form_goes_into_the_run_folder(
    form: str, begins: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its path is all that is printed."""
    shutil.copytree(run, tmp_path / "run")
    code, out, err = report(capsys, tmp_path / "run", "--format", form)

    assert (code, err) == (0, "")
    assert Path(out.strip()).resolve() == tmp_path / "run" / f"report.{form}"
    assert Path(out.strip()).read_text(encoding="utf-8").startswith(begins)


def test_a_file_s_name_chooses_the_form(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless --format says otherwise."""
    report(capsys, run, "--output", tmp_path / "x.txt")
    report(capsys, run, "--output", tmp_path / "y.txt", "--format", "md")

    assert "    initial state " in (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert "| initial state |" in (tmp_path / "y.txt").read_text(encoding="utf-8")


def test_a_report_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The document, from its own numbers."""
    code, out, _ = report(capsys, *sorted((ROOT / "published").glob("2015-*")), "--format", "txt", "--output", "-")

    assert code == 0
    assert "    epoll_parallel 145422 (8 threads)\n" in out


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--index", "/nowhere"], "is not a folder"),
        (["--index", ".", "--format", "md"], "leave out --format, --output and --redact"),
        (["published/2015-xeon-e5-2680", "--output", "/nowhere/x.md"], "there is no folder /nowhere; create it first"),
    ],
)
def test_what_cannot_be_written_is_said(argv: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    code, out, err = report(capsys, *argv)

    assert (code, out) == (2, "")
    assert reason in err


@pytest.mark.parametrize("argv", [["report"], ["report", "x", "--index", "y"], ["report", "x", "--format", "pdf"]])
def test_wrong_words_end_with_2(argv: list[str]) -> None:
    """Runs or an index, one of them."""
    with pytest.raises(SystemExit) as ended:
        entry.main(argv)

    assert ended.value.code == 2


def test_the_commit_of_a_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git says it; empty where it says nothing, or is not here."""
    git = tmp_path / "git"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    git.write_text("#!/bin/sh\necho 0123456789ab-dirty\n", encoding="utf-8")
    git.chmod(0o755)
    assert commit_of(tmp_path) == "0123456789ab-dirty"

    git.write_text("#!/bin/sh\necho fatal; exit 128\n", encoding="utf-8")
    assert commit_of(tmp_path) == ""

    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert commit_of(tmp_path) == ""


def test_runs_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`report results/*` reports the good ones; if there is none, the first fault is the error."""
    good = write_example(tmp_path / "good")
    for name in ("bad", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "bad" / "run.json").write_text("{", encoding="utf-8")
    runs = [tmp_path / "bad", good, tmp_path / "empty"]
    assert write_as(runs, "txt") == good / "report.txt"
    assert "left out of the report" in caplog.text
    assert "bad/run.json" in caplog.text
    assert "empty" in caplog.text
    with pytest.raises(BadInput, match=r"bad/run\.json"):
        write_as(runs[:1], "txt")


def test_a_number_that_nothing_can_be_calculated_with_is_bad_input(run: Path) -> None:
    """A run folder may come from anyone; none of ours holds such a number."""
    (folder,) = read_all([run])
    head = dataclasses.replace(folder.run, duet_duration_s=float("inf"))
    with pytest.raises(BadInput, match="a number in it cannot be right"):
        render_as([dataclasses.replace(folder, run=head)], "md")


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("form", ["html", "json", "md", "txt"])
def test_damage_to_a_run_folder_is_told_in_every_form(form: str, run: Path, tmp_path: Path, *, redact: bool) -> None:
    """How many lines were set aside, and what names them; a reader may have nothing but the report."""
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    assert "damaged" not in render_as(read_all([damaged]), form)
    lines = (damaged / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for number in (0, -1):
        lines[number] = lines[number].replace(b'"requests":', b'"requests":9')
    (damaged / "trials.jsonl").write_bytes(b"".join(lines))
    head = (damaged / "run.json").read_text(encoding="utf-8")
    (damaged / "run.json").write_text(head.replace('"preset": "quick"', '"preset": "other"'), encoding="utf-8")
    folders = read_all([damaged])
    with redacted(folders) as copies:
        text = " ".join(render_as(copies if redact else folders, form).split())
    assert "2 lines of trials.jsonl are damaged and set aside" in text
    assert "speedup verify names each line" in text
    assert "run.json, is damaged or was edited" in text


@pytest.mark.parametrize(
    ("warmup_s", "words"),
    [
        (None, "2 blocks of 1s trials after an automatic warm-up"),
        (0.5, "trials after 500ms warm-up"),
        (0.0, "1s trials"),
    ],
)
def test_the_subtitle_says_how_servers_were_warmed_up(warmup_s: float | None, words: str) -> None:
    """An automatic warm-up has no length that was planned."""
    run = Run("measured", "local", preset="quick", blocks=2, duration_s=1.0, warmup_s=warmup_s)
    assert pace_of(run).endswith(words)
