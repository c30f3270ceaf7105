"""A server's folder and its template: looked for when a matrix is read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.errors import BadInput
from runners.matrix.reading import parse_matrix, read_matrix

TEXT = """\
[suite]
title = "T"
[preset.quick]
warmup = "0s"
duration = "1s"
[machine.local]
threads = [1]
connections = [64]
"""
NO_DIR = "set 'dir' to the folder in which its commands run"


@pytest.fixture(name="project", autouse=True)
def small_project(tmp_path: Path) -> Path:
    """Return a folder with the sources of a server named epoll, and a template."""
    sources = tmp_path / "servers/epoll"
    sources.mkdir(parents=True)
    (sources / "server.conf").touch()
    return tmp_path


def errors(project: Path, text: str) -> list[str]:
    """Return the first line of each error in a file with these lines, which begin at line 9."""
    file = project / "m.toml"
    file.write_text(TEXT + text, encoding="utf-8")
    try:
        read_matrix(file)
    except BadInput as error:
        lines = str(error).splitlines()
        return [line.removeprefix(f"{file}:") for line in lines if line.startswith(str(file))]
    return []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            '[server.a]\nrun = ["x"]\ndir = "servers/epol"',
            "11:1: the folder of 'a', servers/epol, does not exist - did you mean 'servers/epoll'?",
        ),
        ('[server.a]\nrun = ["x"]', f"9:9: the folder of 'a', servers/a, does not exist - {NO_DIR}"),
        (
            '[server.a]\nrun = ["x"]\ndir = "servers/epoll/server.conf"',
            f"11:1: the folder of 'a', servers/epoll/server.conf, is a file - {NO_DIR}",
        ),
        ('[server.a]\nrun = ["x"]\ndir = "no/where"', f"11:1: the folder of 'a', no/where, does not exist - {NO_DIR}"),
        (
            '[server.epoll]\nrun = ["x"]\nconfig = "sever.conf"',
            "11:1: the template of 'epoll', sever.conf, is not in servers/epoll - did you mean 'server.conf'?",
        ),
    ],
    ids=["misspelt", "default", "file", "nothing near", "template"],
)
def test_what_a_server_lacks_is_reported_with_its_place(project: Path, lines: str, said: str) -> None:
    """Otherwise it says "cannot start python3" in the middle of a run."""
    assert errors(project, lines) == [said]


@pytest.mark.parametrize(
    "lines",
    [
        '[server.epoll]\nrun = ["x"]\nconfig = "server.conf"',
        '[server.a]\nrun = ["x"]\ndir = "."',
        '[server.a]\nunavailable = "its source is lost"',
        '[server.epoll]\nrun = ["x"]\n[server.a]\nlike = "epoll"\ndir = "servers/epoll"',
    ],
    ids=["default", "the matrix's own folder", "unavailable", "shared"],
)
def test_what_is_there_or_not_needed_is_right(project: Path, lines: str) -> None:
    """A server that cannot be had needs no folder."""
    assert errors(project, lines) == []


@pytest.mark.parametrize(
    ("first", "lines"),
    [('run = ["x"]', ["11:1"]), ('run = ["x"]\nunavailable = "why"', ["13:9"])],
    ids=["reported there", "not needed there"],
)
def test_an_inherited_folder_is_reported_once(project: Path, first: str, lines: list[str]) -> None:
    """Where it is written, if the server there needs it."""
    said = errors(project, f'[server.a]\n{first}\ndir = "none"\n[server.b]\nlike = "a"\n')
    assert [line.partition(": ")[0] for line in said] == lines


def test_a_published_run_that_is_not_there_is_reported(project: Path) -> None:
    """Before servers are built for a run that cannot show it."""
    (project / "published/2015-xeon").mkdir(parents=True)
    file = project / "m.toml"
    text = TEXT.replace("[suite]\n", "[suite]\npublished = ['published/2015-xenon']\n")
    file.write_text(text + '[server.epoll]\nrun = ["x"]\n', encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_matrix(file)
    assert str(caught.value).startswith(
        f"{file}:2:14: the published run published/2015-xenon does not exist - did you mean 'published/2015-xeon'?"
    )


def test_errors_in_the_file_and_beside_it_are_reported_together(project: Path) -> None:
    """You need not run the same command twice."""
    said = errors(project, '[server.a]\nrun = ["{prot}"]\n')
    assert [line.partition(": ")[0] for line in said] == ["9:9", "10:8"]


def test_a_text_alone_has_no_folders() -> None:
    """Such as the matrix that a run keeps: its servers may be gone."""
    assert parse_matrix(TEXT + '[server.a]\nrun = ["x"]\n').server["a"].dir is None
