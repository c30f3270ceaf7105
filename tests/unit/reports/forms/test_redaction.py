"""`speedup report --redact`: no form of a report tells who measured where, whichever text of a run folder says it."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.forms.redaction import Redaction, Secrets, redacted, secrets_of, without_environment
from reports.forms.writing import render_as
from runners.records.folder import read_folder
from runners.records.run import FleetInfo, RunFolder
from runners.records.trial import ClientHost, Trial
from speedup.entry import main
from tests.support.example_run import example_run, write_folder

HOST, USER, TARGET_USER, TARGET, VALUE, JUMP, ADDRESS = (
    "bench7.corp.example", "mallory", "loaduser", "loader3.corp.example", "hunter2-env-value", "jump@gate.example",
    "10.20.30.40",
)  # fmt: skip
SECRETS = (HOST, "bench7", USER, TARGET_USER, TARGET, "loader3", VALUE, JUMP, ADDRESS)
WORDS = f" {HOST} bench7: /home/{USER}/src {USER} ssh {TARGET_USER}@{TARGET} loader3 {VALUE} {JUMP} {ADDRESS}"
TOLD = f"""
[[client]]
ssh = "{TARGET_USER}@{TARGET}"
options = ["-p", "2222", "-J", "{JUMP}", "-i", "/home/{USER}/.ssh/key"]
"""
STRUCTURE = {  # what is a name within the folder, a member of a fixed set, or not text
    "id", "slug", "server", "variant", "class_", "group", "mode", "load", "family", "status", "verdict", "bound",
    "design", "pair", "role", "cell", "latency", "schema", "outcome", "kind", "purpose", "name", "baseline", "blocks",
    "machine", "twin_of", "objective", "network", "started_at", "facts", "log", "duet", "locustfile", "cpus",
    "cpus_server", "cpus_client", "closing", "request", "bind",
}  # fmt: skip


def telling(value: Any) -> Any:
    """Return a record of which every free text tells everything."""
    if isinstance(value, str):
        return value + WORDS
    if isinstance(value, tuple):
        return tuple(map(telling, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value) if field.name not in {*STRUCTURE, "matrix"})
        return dataclasses.replace(value, **{name: telling(getattr(value, name)) for name in names})
    return value


@pytest.fixture(name="folder")
def a_folder_that_tells_everything(tmp_path: Path) -> RunFolder:
    """Return a run folder whose head, trials, matrix and logs name hosts, users, targets and values."""
    run, trials, logs = example_run(2, threads=(1,))
    own = f"# {WORDS}\nenv = {{ API = '{VALUE}', N = '17',"
    matrix = run.matrix.replace("env = {", own, 1) + TOLD
    assert matrix.count(VALUE) == 2
    fleet = FleetInfo(2, ADDRESS, 5557, ({"name": TARGET, "cpu": "Some CPU" + WORDS},))
    run = dataclasses.replace(
        telling(run), matrix=matrix, fleet=fleet, facts={**run.facts, "hostname": HOST, "cpu": "CPU" + WORDS}
    )
    clients = (ClientHost(TARGET, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1.0, 0.1, 0.1, 0.1, 0, 1, 0),)
    told = [_with_clients(telling(trial), clients) for trial in trials]
    return read_folder(
        write_folder(tmp_path / "bench7-run", run, told, {name: log + WORDS for name, log in logs.items()})
    )


def _with_clients(trial: Trial, clients: tuple[ClientHost, ...]) -> Trial:
    evidence = dataclasses.replace(trial.evidence, clients=clients) if trial.evidence else None
    return dataclasses.replace(trial, evidence=evidence)


def found(text: str) -> list[str]:
    """Return which secrets a text tells, also where a page escapes it or lets words break."""
    plain = re.sub(r"<wbr>|&shy;|\\", "", html.unescape(text)).lower()
    return [secret for secret in SECRETS if secret.lower() in plain]


@pytest.mark.parametrize("form", ["html", "md", "txt"])
def test_no_form_tells_who_measured_where(form: str, folder: RunFolder) -> None:
    """Tables, commands, logs, facts and downloads; without redaction they do."""
    assert form == "txt" or HOST in render_as([folder], form)
    with redacted([folder], Secrets()) as copies:
        text = render_as(copies, form)
    assert found(text) == []
    assert "epoll" in text


def test_the_command_line_redacts(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form asked for, printed or written."""
    assert main(["report", "--redact", "--format", "md", "--output", "-", str(folder.path)]) == 0
    assert found(capsys.readouterr().out) == []
    assert main(["report", "--redact", str(folder.path)]) == 0
    assert found((folder.path / "report.html").read_text(encoding="utf-8")) == []


def test_the_same_tables_come_out(folder: RunFolder) -> None:
    """Its matrix can still be read, and nothing that was measured changes."""
    with redacted([folder], Secrets()) as copies:
        (copy,) = copies
        assert [trial.requests_per_s for trial in copy.trials] == [trial.requests_per_s for trial in folder.trials]
        assert [trial.cell for trial in copy.trials] == [trial.cell for trial in folder.trials]
        assert "[[table]]" in copy.run.matrix
    assert not copy.path.exists()


def test_hosts_stay_apart() -> None:
    """Each gets one word everywhere, with its domain or without."""
    redaction = Redaction(Secrets(hosts=frozenset({"a1", "b2"}), users=frozenset({"eve"})))
    assert (
        redaction.text("A1 b2 a1 a10 xa1 a1_x eve@b2 /home/eve/x")
        == "host-1 host-2 host-1 a10 xa1 host-1_x user-1@host-2 ~/x"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/root/x and /rooted", "~/x and /rooted"),
        ("/Users/ann/x", "~/x"),
        ("http://me:word@127.0.0.1/", "http://127.0.0.1/"),
        ("127.0.0.1 0.0.0.0 192.0.2.7:80 4.2.0", "127.0.0.1 0.0.0.0 address:80 4.2.0"),
    ],
)
def test_what_always_tells_is_left_out(text: str, left: str) -> None:
    """Whether or not the run names it elsewhere."""
    assert Redaction(Secrets()).text(text) == left


@pytest.mark.parametrize(
    "matrix",
    [
        "[server.a]\nenv = { A = \"x y\", B = 'z' }\n",
        '[server.a.env]\nA = "x"\nB = "\\u0041"\n[server.b]\nrun = ["kept"]\n',
        '[server.a]\nenv.A = "x"\nrun = ["kept"]\n',
        '[server.a.variant.v]\n"env" = { A = "x" }\n',
    ],
)
def test_no_value_of_the_environment_stays_in_a_matrix(matrix: str) -> None:
    """However it is written; the rest does."""
    without = without_environment(matrix)
    assert "redacted" in without
    assert '"x' not in without
    assert ("kept" in matrix) == ("kept" in without)


@pytest.mark.parametrize(
    "matrix", ['[server.a]\nenv = { A = """x\ny""" }\n', "[server.a]\nenv = {", '"e\\u006ev" = { A = "x" }']
)
def test_a_matrix_whose_values_cannot_be_left_out_is_left_out(matrix: str) -> None:
    """No table is better than a secret."""
    assert without_environment(matrix) == ""


@given(st.text())
def test_any_text_is_redacted_without_error(text: str) -> None:
    """And twice changes nothing more."""
    redaction = Redaction(Secrets(frozenset({"h1"}), frozenset({"u1"}), frozenset({"/h/u1"}), frozenset({"value"})))
    once = redaction.text(text)
    assert redaction.text(once) == once


def test_a_log_outside_of_the_folder_is_not_copied(folder: RunFolder) -> None:
    """A run folder may come from anyone."""
    commands = tuple(dataclasses.replace(command, log="../../secret") for command in folder.trials[0].commands)
    odd = dataclasses.replace(folder, trials=(dataclasses.replace(folder.trials[0], commands=commands),))
    with redacted([odd], Secrets()) as (copy,):
        assert not list(copy.path.parent.parent.rglob("secret"))


def test_a_run_s_own_secrets_are_found(folder: RunFolder) -> None:
    """In facts, paths, clients and the matrix."""
    secrets = secrets_of(folder)
    assert {HOST, "bench7", TARGET, "loader3"} <= secrets.hosts
    assert {USER, TARGET_USER} <= secrets.users
    assert {VALUE, JUMP} <= secrets.values
