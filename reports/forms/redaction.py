"""Leaves out of run folders what tells who measured where, before any form of a report is written from them.

Host names, users, home paths, ssh targets, addresses and the values of environment variables are replaced in every text
of the folders: the head, the trials, the matrix in it, and the logs. Each gets the same word everywhere, so that cells,
clients and commands still belong together.
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli

from reports.forms.page.logs import MOST_READ_BYTES
from runners.records.run import Run, RunFolder
from runners.records.scratch import scratch_folder

Record = TypeVar("Record")

COMMON = {  # tell nothing, and stand everywhere
    "", "localhost", "local", "root", "client", "server", "unknown", "true", "false", "none", "null", "info", "debug",
    "warn", "warning", "error", "release", "production", "development", "test",
}  # fmt: skip
ENCODED = {"latency", "schema", "sha256"}
LEAST_VALUE_CHARACTERS = 4  # a shorter value of the environment is left out of the matrix only
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL", re.IGNORECASE)
HOME = re.compile(r"/(?:home|Users|var/home)/(?P<user>[^/\s\"'`:;,|<>()\[\]{}]+)|/root(?![\w.-])")
ADDRESS = re.compile(r"(?<![\w.])(?!127\.|0\.0\.0\.0)\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)")
CREDENTIALS = re.compile(r"://[^/\s@\"']+@")
PLACEHOLDERS = re.compile(r"(?:\{\w+\}|[\W_]|\d)*")
STRING = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')


@dataclass(frozen=True)
class Secrets:
    """What must not be shown, by kind; `values` are those of environment variables."""

    hosts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    homes: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def __or__(self, other: Secrets) -> Secrets:
        """Return the secrets of both."""
        names = (field.name for field in dataclasses.fields(self))
        return Secrets(**{name: getattr(self, name) | getattr(other, name) for name in names})


class Redaction:
    """Replaces secrets in texts and records, each by the same word everywhere."""

    def __init__(self, secrets: Secrets) -> None:
        self._words: dict[str, str] = {}
        for kind, words in (("host", secrets.hosts), ("user", secrets.users), ("value", secrets.values)):
            told = sorted({word.lower() for word in words} - COMMON)
            self._words.update({word: f"{kind}-{number}" for number, word in enumerate(told, start=1)})
        self._homes = _any_of(secrets.homes)
        self._named = re.compile(rf"(?<![^\W_]){_any_of(self._words).pattern}(?![^\W_])", re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return a text without what must not be shown."""
        text = CREDENTIALS.sub("://", HOME.sub("~", self._homes.sub("~", text)))
        text = self._named.sub(lambda found: self._words.get(found[0].lower(), "redacted"), text)
        return ADDRESS.sub("address", text)

    def record(self, record: Record) -> Record:
        """Return a record with every text in it redacted, at any depth; what is encoded stays."""
        return self._any(record)  # type: ignore[no-any-return]

    def _any(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self._any(each) for each in value)
        if isinstance(value, dict):
            return {key: self._any(each) for key, each in value.items()}
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            return value
        fields = (field.name for field in dataclasses.fields(value) if field.name not in ENCODED)
        changed = {name: self._any(getattr(value, name)) for name in fields}
        if isinstance(value, Run):
            changed["matrix"] = self.text(without_environment(value.matrix))
            changed |= {"sources": (), "files": {}}  # what is left out of the matrix cannot be verified either
        return dataclasses.replace(value, **changed)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of these words, the longest first; without any, it finds nothing."""
    found = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    return re.compile(f"(?:{'|'.join(map(re.escape, found))})" if found else r"(?!)")


def secrets_of(folder: RunFolder) -> Secrets:
    """Return what a run folder tells of who measured where."""
    run = folder.run
    hosts = {run.facts.get("hostname", "")}
    if run.fleet:
        hosts |= {run.fleet.bind, *(host.get(key, "") for host in run.fleet.hosts for key in ("name", "hostname"))}
    hosts |= {client.name for trial in folder.trials if trial.evidence for client in trial.evidence.clients}
    found = Secrets(hosts=_with_short(hosts))
    for matrix in (run.matrix, *(each.run.matrix for each in run.published)):
        found |= _of_matrix(matrix)
    homes = HOME.finditer(json.dumps([dataclasses.asdict(run), list(map(_texts, folder.trials))], ensure_ascii=False))
    return found | Secrets(users=frozenset(home["user"] for home in homes if home["user"]))


def _texts(trial: Any) -> list[Any]:
    return [trial.reason, [command.argv for command in trial.commands], [check.saw for check in trial.checks]]


def secrets_here() -> Secrets:
    """Return what this machine's own names are, and the values of its variables that are named like secrets."""
    user = ""
    with suppress(OSError, KeyError):  # a user without a name
        user = getpass.getuser()
    home = os.path.expanduser("~")  # noqa: PTH111 - as text: it may be relative, or not exist
    values = {value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) > 7}
    homes = frozenset({home} if len(home) > 1 else ())
    return Secrets(_with_short({socket.gethostname()}), frozenset({user}), homes, frozenset(values))


def _with_short(hosts: Iterable[str]) -> frozenset[str]:
    """Return host names with and without their domains; addresses stay whole."""
    return frozenset(
        each
        for host in hosts
        for each in (host, host.partition(".")[0] if not host[:1].isdigit() else host)
        if not host.startswith("127.")
    )


def _of_matrix(text: str) -> Secrets:
    """Return what a matrix names: ssh targets, and the values of environment variables."""
    try:
        tables = tomli.loads(text)
    except (ValueError, RecursionError):
        return Secrets()
    hosts: set[str] = set()
    users: set[str] = set()
    values: set[str] = set()
    for key, value in _pairs(tables):
        if key == "ssh" and isinstance(value, str):
            user, _, host = value.rpartition("@")
            users.add(user)
            hosts.add(host)
        elif key == "options" and isinstance(value, list):
            values.update(word for word in map(str, value) if not word.startswith("-") and not word.isdigit())
        elif key == "hostname" and isinstance(value, str) and value.isidentifier():
            hosts.add(value)
        elif key == "env" and isinstance(value, dict):
            values.update(each for each in map(str, value.values()) if not PLACEHOLDERS.fullmatch(each))
    long = frozenset(value for value in values if len(value) >= LEAST_VALUE_CHARACTERS)
    return Secrets(_with_short(hosts), frozenset(users), frozenset(), long)


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Return every key of a matrix with its value, at any depth."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield key, each
            yield from _pairs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pairs(each)


def without_environment(matrix: str) -> str:
    """Return a matrix with no value of an environment variable in it; nothing, if they cannot all be left out."""
    kept, inside = [], False
    for line in matrix.splitlines():
        if re.match(r"\s*\[", line):
            inside = re.match(r"\s*\[+[^\]]*\benv\s*\]", line) is not None
        own = inside or re.match(r"\s*[\"']?env[\"']?\s*[.=]", line) is not None
        start = line.index("=") + 1 if own and "=" in line else len(line)
        kept.append(line[:start] + STRING.sub('"redacted"', line[start:]))
    text = "\n".join(kept) + "\n"
    try:
        before, after = tomli.loads(matrix), tomli.loads(text)
    except (ValueError, RecursionError):
        return ""
    left = {
        str(each) for key, value in _pairs(after) if key == "env" and isinstance(value, dict) for each in value.values()
    }
    same = len(list(_pairs(before))) == len(list(_pairs(after)))
    return text if same and left <= {"redacted"} else ""


@contextmanager
def redacted(folders: Sequence[RunFolder], here: Secrets | None = None) -> Iterator[list[RunFolder]]:
    """Yield copies of run folders, with their logs, without what tells who measured where."""
    secrets = secrets_here() if here is None else here
    for folder in folders:
        secrets |= secrets_of(folder)
    redaction = Redaction(secrets)
    with scratch_folder("speedup-redacted-") as root:
        yield [_copy(folder, redaction, root / str(number)) for number, folder in enumerate(folders)]


def _copy(folder: RunFolder, redaction: Redaction, root: Path) -> RunFolder:
    path = root / redaction.text(folder.path.resolve().name)
    for name in _logs(folder):
        with suppress(OSError, ValueError):  # what cannot be read is not in the report either
            _copy_log(folder.path, name, path / redaction.text(name), redaction)
    run, trials = redaction.record(folder.run), redaction.record(folder.trials)
    return dataclasses.replace(folder, path=path, run=run, trials=trials)


def _logs(folder: RunFolder) -> set[str]:
    """Return the logs that a run's records name."""
    commands = (command.log for trial in folder.trials for command in trial.commands)
    return {log for log in (*commands, *(build.log for build in folder.run.builds)) if log}


def _copy_log(folder: Path, name: str, to: Path, redaction: Redaction) -> None:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or ".." in Path(name).parts:
        return
    with file.open("rb") as stream:
        text = stream.read(MOST_READ_BYTES).decode("utf-8", errors="replace")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(redaction.text(text), encoding="utf-8")
