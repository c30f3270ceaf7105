"""What the documentation says is so: its TOML, its links, its tables and its options."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tomli

from docs import check_site, make_reference
from runners.matrix.cells import expand
from runners.matrix.mistakes.reach import unreachable
from runners.matrix.mistakes.references import cross_check
from runners.matrix.model import Matrix, Preset, Validity
from runners.matrix.placeholders import KNOWN
from runners.matrix.reading import parse_matrix
from runners.tools.find import TOOL_DATA
from runners.trial import validity
from speedup.parser import build_parser
from tests.support import ROOT

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
ONLY_OPTIONS = "<!-- only options are checked -->"
FRONT_DOORS = {  # how a command begins -> how the command line is called then
    ("speedup",): (),
    ("python", "-m", "speedup"): (),
    **{
        (*nox, "-s", session, "--"): called
        for nox in (("nox",), ("pipx", "run", "nox"))
        for session, called in {
            "bench": ("run", "--install"),
            "report": ("report",),
            "worker": ("worker", "--install"),
        }.items()
    },
}
LISTS = ("exclude", "include", "table")  # a fragment adds to these
ANNOUNCED = re.compile(r"^.* x \d+ blocks?.* preset '([\w-]+)'.*$", re.MULTILINE)
AMOUNT = re.compile(r"(\d+) (cell|duet)s? x (\d+) blocks?")
PROGRESS = re.compile(r"^\[ *\d+/(\d+)\]", re.MULTILINE)
CONCLUDED = re.compile(r"^(\d+) trials: ", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code on a page; `before` is the line above it."""

    page: Path
    line: int
    language: str
    text: str
    before: str

    def __str__(self) -> str:
        """Return where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command in a block, and the lines that the block shows below it."""

    block: Block
    words: tuple[str, ...]
    output: str

    def __str__(self) -> str:
        """Return it as people type it, and where it stands."""
        return f"{self.block} {shlex.join(self.words)}"

    @property
    def arguments(self) -> tuple[str, ...] | None:
        """Return the arguments of our command line; None for other programs."""
        for beginning, called in FRONT_DOORS.items():
            if self.words[: len(beginning)] == beginning:
                return (*called, *self.words[len(beginning) :])
        return None

    @property
    def runs(self) -> bool:
        """Return whether it is run for real."""
        ours = self.words[0] == "speedup" or self.words[:3] == ("python", "-m", "speedup")
        return ours and self.block.language == "console" and self.block.before != ONLY_OPTIONS


@cache
def text_of(page: Path) -> str:
    """Return a page's text."""
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> Iterator[Block]:
    """Yield all blocks in these languages."""
    for page in PAGES:
        text = text_of(page)
        for match in FENCE.finditer(text):
            above = text[: match.start()].splitlines()
            if match[1] in languages:
                yield Block(page, len(above) + 1, match[1], match[2], above[-1] if above else "")


def all_commands() -> Iterator[Command]:
    """Yield every command: behind `$ ` in transcripts, each line of a shell block."""
    for block in blocks("console", "sh"):
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
        lines = parts if block.language == "console" else block.text.splitlines(keepends=True)
        for part in lines:
            first, _, output = part.partition("\n")
            if words := shlex.split(first, comments=True):
                yield Command(block, tuple(itertools.takewhile(lambda word: word != ">", words)), output)


def project_matrix() -> dict[str, Any]:
    """Return the repository's matrix as plain data."""
    return tomli.loads((ROOT / "matrix.toml").read_text(encoding="utf-8"))


def with_tools(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the tools that the project knows."""
    known = tomli.loads(TOOL_DATA.read_text(encoding="utf-8"))["tool"]
    return {**document, "tool": {**known, **document.get("tool", {})}}


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a document into which a fragment was written by hand."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        if key in LISTS:
            result[key] = [*(before or ()), *value]
        elif isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return result


def with_fragment(text: str) -> Matrix:
    """Return the repository's matrix with a fragment."""
    return Matrix.model_validate(with_tools(merged(project_matrix(), tomli.loads(text))))


@pytest.mark.parametrize("block", list(blocks("toml")), ids=str)
def test_every_toml_block_is_a_matrix_or_a_piece_of_one(block: Block) -> None:
    """A piece is written into the repository's matrix, as a reader would do."""
    if {"suite", "preset", "machine", "server"} <= tomli.loads(block.text).keys():
        parse_matrix(block.text, str(block), TOOL_DATA)
    else:
        matrix = with_fragment(block.text)
        assert [*cross_check(matrix), *unreachable(matrix)] == []


def test_the_readme_s_variant_adds_cells() -> None:
    """In both modes, on the default machine."""
    (block,) = (block for block in blocks("toml") if block.page.name == "README.md")
    matrix = with_fragment(block.text)
    cells = expand(matrix, "local", matrix.preset["quick"], "wrk")
    new = {planned.cell.slug for planned in cells if planned.status == "planned"} - {
        planned.cell.slug for planned in expand(with_fragment(""), "local", matrix.preset["quick"], "wrk")
    }
    assert new == {"go.eager-gc/t1/c64/persistent", "go.eager-gc/t1/c64/non-persistent"}


@pytest.mark.parametrize(
    "command", [item for item in all_commands() if item.arguments is not None and not item.runs], ids=str
)
def test_every_command_that_is_not_run_has_options_that_exist(command: Command) -> None:
    """The parser accepts them."""
    build_parser().parse_args(command.arguments)


def presets_on(page: Path) -> dict[str, Preset]:
    """Return the presets of the repository's matrix, and those that a page adds to it."""
    document = project_matrix()
    for block in blocks("toml"):
        if block.page == page:
            document = merged(document, {"preset": tomli.loads(block.text).get("preset", {})})
    return Matrix.model_validate(with_tools(document)).preset


ANNOUNCING = [item for item in all_commands() if ANNOUNCED.search(item.output)]


def test_plans_and_runs_are_announced_in_transcripts() -> None:
    """Else the next test would look at nothing."""
    assert {item.arguments[0] for item in ANNOUNCING if item.arguments} == {"plan", "run"}


@pytest.mark.parametrize("command", ANNOUNCING, ids=str)
def test_a_transcript_s_blocks_and_trials_follow_from_its_preset(command: Command) -> None:
    """Transcripts of `run` are not run, and would else keep the numbers of a preset that has changed."""
    announced = ANNOUNCED.search(command.output)
    assert announced
    preset = presets_on(command.block.page)[announced[1]]
    blocks_of = {"cell": preset.blocks.max, "duet": preset.duet_blocks.max}
    amounts = [(int(count), kind, int(shown)) for count, kind, shown in AMOUNT.findall(announced[0])]
    assert [(kind, shown) for _, kind, shown in amounts] == [(kind, blocks_of[kind]) for _, kind, _ in amounts]
    planned = sum(count * blocks_of[kind] for count, kind, _ in amounts)
    recorded = sum(count * blocks_of[kind] * (2 if kind == "duet" else 1) for count, kind, _ in amounts)
    assert {int(total) for total in PROGRESS.findall(command.output)} <= {planned}
    assert {int(total) for total in CONCLUDED.findall(command.output)} <= {recorded}


def test_the_readme_shows_both_commands_on_its_first_screen() -> None:
    """Nobody should have to look for them."""
    first = text_of(ROOT / "README.md").splitlines()[:20]
    assert [any(f"pipx run nox -s {name}" in line for line in first) for name in ("bench", "tests")] == [True, True]


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page."""
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files exist, and headings in them; an address elsewhere is complete."""
    broken = []
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if check_site.is_elsewhere(target):
            leads = check_site.is_complete(target)
        else:
            leads = file.exists() and (not anchor or anchor in anchors(file))
        if not leads:
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", list(make_reference.pages()), ids=lambda page: page.name)
def test_the_tables_of_the_reference_are_the_program_s(page: Path) -> None:
    """After a change: python docs/make_reference.py."""
    assert text_of(page) == make_reference.renewed(text_of(page))


@pytest.mark.parametrize("page", list(make_reference.pages()), ids=lambda page: page.name)
def test_every_key_field_and_option_is_described(page: Path) -> None:
    """A new one gets an empty last cell, to be filled by hand."""
    for match in make_reference.PLACE.finditer(text_of(page)):
        empty = [line for line in match[0].splitlines() if line.startswith("|") and line.endswith("| |")]
        assert match["kind"] in ("tools", "checks") or empty == [], match["kind"]


def test_every_model_and_record_has_its_table() -> None:
    """Nothing that can be written or read is left out."""
    reference = "".join(map(text_of, make_reference.pages()))
    models = {f"<!-- table: matrix {name} -->" for name in make_reference.SCHEMA}
    kinds = {
        f"<!-- table: record {name} -->"
        for name, kind in make_reference.RECORDS.items()
        if dataclasses.is_dataclass(kind) and name != "RunFolder"
    }
    assert {place for place in models | kinds if place not in reference} == set()


def test_every_command_has_its_section() -> None:
    """With its options."""
    text = text_of(ROOT / "docs/reference/command-line.md")
    wanted = [(f"\n## {name}\n", f"<!-- table: options {name} -->") for name in make_reference.commands()]
    assert [places for places in wanted if not all(place in text for place in places)] == []


def test_the_table_of_checks_holds_each_of_them_with_its_section() -> None:
    """From V0 on, without a gap, in order; also those that are not judged by a trial's evidence."""
    rows = [re.match(r"\[V(\d+)\]\(#v\d+\)", row[0]) for row in make_reference.check_table("", {})[1:]]
    numbers = [int(row[1]) for row in rows if row]
    assert numbers == list(range(len(rows)))
    assert {f"v{number}" for number in numbers} - anchors(ROOT / "docs/reference/validity-checks.md") == set()
    assert len(rows) == len(validity.CHECKS) + len({"V0", "V23"})


def test_every_threshold_stands_beside_its_check() -> None:
    """None is left out of the table of checks."""
    told = " ".join(row[-1] for row in make_reference.check_table("", {}))
    assert [name for name in Validity.model_fields if f"`{name}` " not in told] == []


def test_every_placeholder_is_described() -> None:
    """Those of each trial, and those of the matrix."""
    listed = re.findall(r"^\| `(\{\w+\})` \|", text_of(ROOT / "docs/reference/matrix.md"), re.MULTILINE)
    assert set(listed) == set(KNOWN)


def test_every_dependency_has_a_reason() -> None:
    """Of the project's groups, and of its build."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [item for group in project["dependency-groups"].values() for item in group if isinstance(item, str)]
    names = {re.split(r"[^\w-]", item)[0] for item in (*wanted, *project["build-system"]["requires"])}
    listed = re.findall(r"^\| ([\w-]+) \|", text_of(ROOT / "docs/explanation/dependencies.md"), re.MULTILINE)
    assert names - set(listed) == set()


def test_contributing_is_short() -> None:
    """Under 100 lines, or nobody reads it."""
    assert len(text_of(ROOT / "CONTRIBUTING.md").splitlines()) < 100
