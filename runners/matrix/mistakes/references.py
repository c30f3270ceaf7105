"""Checks that what a matrix refers to exists: tools, servers, variants, groups, presets, placeholders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runners.matrix.cells import parse_row, programs
from runners.matrix.inheritance import Heir, cycles, inherits, lineage
from runners.matrix.mistakes.problems import Path_, Problem, closest, unknown
from runners.matrix.model import NOT_STARTABLE, Heading, Matrix, Server, TableRow, variants_of
from runners.matrix.placeholders import CONFIG, FLAGS, KNOWN, SOURCE, unknown_in

NO_FLAGS = f"these flags are unused: the build command has no {FLAGS}"


def cross_check(matrix: Matrix) -> Iterator[Problem]:
    """Yield references to what the matrix does not define."""
    if matrix.suite.preset not in matrix.preset:
        yield unknown(("suite", "preset"), "preset", matrix.suite.preset, matrix.preset)
    groups = dict.fromkeys(program.group for program, _ in programs(matrix))
    yield from _wrong_mixes(matrix)
    for key, known in (("request", {**matrix.request, **matrix.mix}), ("group", groups)):
        for index, name in enumerate(getattr(matrix.suite, f"{key}s")):
            if name not in known:
                yield unknown(("suite", f"{key}s", index), key, name, known)
    yield from _wrong_ancestors("server", matrix.server)
    yield from _wrong_ancestors("variant", variants_of(matrix.server))
    for name, server in matrix.server.items():
        yield from _server_problems(name, server, matrix)
    for index, table in enumerate(matrix.table):
        if table.group is not None and table.group not in groups:
            yield unknown(("table", index, "group"), "group", table.group, groups)
        for position, entry in enumerate(table.rows):
            if not isinstance(entry, Heading):
                yield from _row_problems(("table", index, "rows", position), entry, matrix)


def _wrong_mixes(matrix: Matrix) -> Iterator[Problem]:
    for name, mix in matrix.mix.items():
        if name in matrix.request:
            yield Problem(("mix", name), f"'{name}' is the name of a request already")
        for index, each in enumerate(mix.requests):
            if each not in matrix.request:
                yield unknown(("mix", name, "requests", index), "request", each, matrix.request)
        if fault := mix.too_long(matrix.request):
            yield Problem(("mix", name, "requests"), fault)


def _wrong_ancestors(kind: str, heirs: Mapping[str, Heir]) -> Iterator[Problem]:
    """Yield each `like` that is unknown, or that leads back to itself."""
    for name, heir in heirs.items():
        if heir.like is not None and heir.like not in heirs:
            yield Problem(_like_path(name), f"unknown {kind} '{heir.like}'", _ancestor_meant(name, heir.like, heirs))
    for first, *others in cycles(heirs):
        chain = ", which is like ".join(f"'{name}'" for name in (*others, first))
        yield Problem(_like_path(first), f"'{first}' is like {chain if others else 'itself'}; break the cycle")


def _like_path(name: str) -> Path_:
    server, _, variant = name.partition(".")
    return ("server", server, "variant", variant, "like") if variant else ("server", server, "like")


def _ancestor_meant(name: str, like: str, heirs: Mapping[str, Heir]) -> str:
    """Return a suggestion; "variant" may have been written for "server.variant", or that for "server"."""
    beside = f"{name.partition('.')[0]}.{like}"
    for known in (beside, like.partition(".")[0]):
        if known in heirs:
            return f"did you mean '{known}'?"
    return closest(like, heirs) or f"known: {', '.join(heirs)}"


def _server_problems(name: str, server: Server, matrix: Matrix) -> Iterator[Problem]:
    path, servers = ("server", name), matrix.server
    if not inherits(server, servers, "needs"):
        yield from _missing_tools((*path, "needs"), server.needs, matrix)
    if not inherits(server, servers, "needs", "at_least"):
        yield from _needless_versions(name, server)
    if not server.run and server.unavailable is None and servers[lineage(name, servers)[-1]].like is None:
        yield Problem(path, f"{NOT_STARTABLE}; '{server.like}' has no start command to inherit")
    if not inherits(server, servers, "build", "run", "flags", "config"):
        yield from _empty_places(path, server)
    yield from _misspelt_places(path, server, servers, ("build", "run", "flags", "env"))
    variants = variants_of(servers)
    for key, variant in server.variant.items():
        if not inherits(variant, variants, "needs"):
            yield from _missing_tools((*path, "variant", key, "needs"), variant.needs, matrix)
        yield from _misspelt_places((*path, "variant", key), variant, variants, ("flags", "env"))
        if variant.flags and FLAGS not in server.build:
            yield Problem((*path, "variant", key, "flags"), NO_FLAGS)


def _empty_places(path: Path_, server: Server) -> Iterator[Problem]:
    """Yield placeholders without a value, and values without a placeholder."""
    if server.config is None and any(CONFIG in word for word in server.run):
        yield Problem((*path, "run"), f"the start command contains {CONFIG}, but 'config' is not set")
    if server.source is None and any(SOURCE in word for word in (*server.build, *server.run)):
        yield Problem(path, f"its commands contain {SOURCE}, but 'source' is not set")
    if server.flags and FLAGS not in server.build:
        yield Problem((*path, "flags"), NO_FLAGS)


def _misspelt_places(path: Path_, heir: Heir, heirs: Mapping[str, Heir], keys: Sequence[str]) -> Iterator[Problem]:
    """Yield what looks like a placeholder but is none, in the lists and tables that the server or variant wrote."""
    for key in keys:
        written = () if inherits(heir, heirs, key) else getattr(heir, key)
        items = written.items() if isinstance(written, Mapping) else enumerate(written)
        for place, text in items:
            for word in unknown_in(text):
                yield unknown((*path, key, place), "placeholder", word, KNOWN)
            if FLAGS in text and not (text == FLAGS and key in {"build", "run"}):
                yield Problem((*path, key, place), f"{FLAGS} must be an argument of its own in a command")


def _missing_tools(path: Path_, needs: Sequence[str], matrix: Matrix) -> Iterator[Problem]:
    for index, tool in enumerate(needs):
        if tool not in matrix.tool:
            yield unknown((*path, index), "tool", tool, matrix.tool)


def _needless_versions(name: str, server: Server) -> Iterator[Problem]:
    for tool in server.at_least:
        if tool not in server.needs:
            yield Problem(("server", name, "at_least", tool), f"the server does not need '{tool}'")


def _row_problems(path: Path_, entry: str | TableRow, matrix: Matrix) -> Iterator[Problem]:
    text = entry if isinstance(entry, str) else entry.row
    try:
        key = parse_row(text)
    except ValueError as error:
        yield Problem(path, str(error))
        return
    server = matrix.server.get(key.server)
    if server is None:
        yield unknown(path, "server", key.server, matrix.server)
    elif key.variant is not None and key.variant not in server.variant:
        yield unknown(path, f"variant of {key.server}", key.variant, server.variant)
