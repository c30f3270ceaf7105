"""Reads a start command as people type it: words, and variables in front of it. No shell is involved."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from runners.errors import BadInput
from runners.matrix.starter.learned import Launch

_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_OPERATOR = re.compile(r"[|&;<>]+|[0-9]?>.*|\S+;")
STARTERS = re.compile(
    r"python[0-9.]*|pypy[0-9.]*|node|nodejs|bun|deno|ruby|php|perl|java|sh|bash|env|npx|npm|yarn|pnpm|go|cargo|uv"
    r"|poetry|dotnet|taskset|nice|exec|run|[0-9,]+"
)


def read_command(text: str, option: str) -> Launch:
    """Return how a command starts a server; BadInput, with the option that it came from, if it needs a shell."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{option} {text!r}: {error}") from error
    env = dict(_assignments(words))
    run = tuple(words[len(env) :])
    if not run:
        raise BadInput(f"{option} {text!r} is no command; write the one that starts your server")
    for word in run:
        if _OPERATOR.fullmatch(word) and not _is_shell(run):
            raise BadInput(
                f"{option} {text!r}: '{word}' needs a shell, and commands never reach one;"
                f" put it into a script, or write {option} \"sh -c '...'\""
            )
    return Launch(run, env)


def _assignments(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the variables in front of a command, such as PORT=80."""
    for word in words:
        match = _ASSIGNED.fullmatch(word)
        if match is None:
            return
        yield match[1], match[2]


def _is_shell(run: Sequence[str]) -> bool:
    return PurePath(run[0]).name in {"sh", "bash", "dash", "zsh"} and "-c" in run


def takes_port(launch: Launch) -> bool:
    """Return whether a command can be told on which port to listen."""
    return any("{port}" in word for word in (*launch.run, *launch.env.values()))


def names_of(launches: Iterable[Launch]) -> tuple[str, ...]:
    """Return a name for each server, derived from its command; those of the same name are numbered."""
    names: list[str] = []
    for launch in launches:
        name = _name(launch.run)
        same = sum(re.fullmatch(rf"{name}(-[0-9]+)?", other) is not None for other in names)
        names.append(f"{name}-{same + 1}" if same else name)
    return tuple(names)


def _name(run: Sequence[str]) -> str:
    """Return the name of the program in a command: "node dist/main.js" is "main"."""
    words = [word for word in " ".join(run).split() if not word.startswith("-") and "{" not in word]
    telling = next((word for word in words if not STARTERS.fullmatch(PurePath(word).name)), words[0] if words else "")
    plain = re.sub(r"[^a-z0-9_-]+", "-", PurePath(telling).stem.lower()).strip("-_")
    return plain or "server"
