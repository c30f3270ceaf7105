"""What the project's own matrix.toml measures: every line of the document, and the field beside it."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest

from runners.matrix.cells import Planned, RowKey, Selection, expand, parse_row
from runners.matrix.model import Heading, Table
from runners.matrix.reading import read_matrix
from runners.plan.planning import select
from runners.records.folder import read_folder
from runners.tools.find import TOOL_DATA
from tests.support import ROOT

MATRIX, _ = read_matrix(ROOT / "matrix.toml", TOOL_DATA)
PUBLISHED = [read_folder(ROOT / name) for name in MATRIX.suite.published]
# Every line of the document: machine, server, variant, threads, mode.
LINES = [
    (folder.run.machine, line.server, line.variant, line.threads or 1, str(line.mode))
    for folder in PUBLISHED
    for line in folder.trials
]
FIELD = [name for name, server in MATRIX.server.items() if server.group == "field"]
FIELD_TABLES = [table for table in MATRIX.table if table.group == "field"]


def rows(table: Table) -> list[RowKey]:
    """Return what a table's rows name."""
    entries = [entry for entry in table.rows if not isinstance(entry, Heading)]
    return [parse_row(entry if isinstance(entry, str) else entry.row) for entry in entries]


def selected(*groups: str) -> tuple[Planned, ...]:
    """Return the cells of a plan for these groups on a machine that no profile but the last resort fits."""
    cells = expand(MATRIX, "local", MATRIX.preset["quick"], "wrk")
    return select(cells, Selection(group=groups), MATRIX.table)


def test_the_default_plan_holds_a_cell_for_every_line_of_the_document() -> None:
    """On any machine; left out is none, and without a server is only what nobody can obtain any more."""
    cells = {
        (program.server, program.variant, planned.cell.threads, str(planned.cell.mode)): planned
        for planned in selected(*MATRIX.suite.groups)
        for program in [planned.cell.program]
    }
    lines = [line[1:] for line in LINES]

    assert len(lines) == 38
    assert [line for line in lines if line not in cells] == []
    assert {line[0] for line in lines if cells[line].status != "planned"} == {"cppsp"}


def test_a_table_shows_every_line_of_the_document_beside_its_number() -> None:
    """Under the machine that it was measured on."""
    shown = {
        (table.published, key.server, key.variant, key.threads, table.mode)
        for table in MATRIX.table
        for key in rows(table)
    }

    assert [line for line in LINES if line not in shown] == []


def test_the_field_has_tables_in_both_modes_with_all_its_servers_and_some_for_scale() -> None:
    """Whoever adds a server to the field gives it its rows."""
    assert [table.mode for table in FIELD_TABLES] == ["persistent", "non-persistent"]
    for table in FIELD_TABLES:
        assert {key.server for key in rows(table)} == {"epoll", "nginx", "floor", "jester", *FIELD}  # jester's variant


def test_the_field_is_measured_with_what_it_is_compared_with() -> None:
    """In all cells that its tables name, and in no other one."""
    planned = {
        (planned.cell.mode, planned.cell.program.server, planned.cell.threads)
        for planned in selected("field")
        if planned.status == "planned"
    }

    assert planned == {(table.mode, key.server, key.threads) for table in FIELD_TABLES for key in rows(table)}


@pytest.mark.parametrize("server", ["node", "haproxy", "crystal"])
def test_the_field_waits_until_it_is_asked_for(server: str) -> None:
    """The first answer must come within minutes."""
    assert server in FIELD
    assert not any(planned.cell.program.server == server for planned in selected(*MATRIX.suite.groups))


@pytest.mark.parametrize(
    ("command", "tools"),
    [
        ("nim", {"cc"}),
        ("nim22", {"cc"}),
        ("cargo", {"cc"}),
        ("uws-cc", {"cc", "libuv"}),
        ("crystal", {"cc", "openssl", "zlib"}),
    ],
)
def test_a_server_names_what_its_compiler_takes_for_granted(command: str, tools: set[str]) -> None:
    """On a machine without them its row is unavailable, with the reason, instead of a build that fails."""
    servers = {name: {*server.needs} for name, server in MATRIX.server.items() if server.build[:1] == (command,)}
    assert servers
    assert {name: tools - needs for name, needs in servers.items() if tools - needs} == {}


def test_no_build_command_is_written_twice() -> None:
    """A server that is built like another one says so, and nothing more."""
    servers = tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8"))["server"].values()
    written = Counter((tuple(server["build"]), server.get("dir")) for server in servers if "build" in server)
    assert [command for command, count in written.items() if count > 1] == []
