"""Building: once for the same ingredients, again when one changes, and a failure is a result with its last words."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runners.matrix.cells import Program
from runners.matrix.model import Limits
from runners.records.run import BuildInfo
from runners.server import builds
from runners.server.build_cache import open_place
from runners.server.builds import BuildContext, build_all, program_path
from runners.server.sources import source_hash

COMPILER = """\
#!/bin/sh
echo "compiling with $*"
echo called >> "$CALLS"
cat "$1" > "$2"
"""


@pytest.fixture(name="context")
def build_context(tmp_path: Path) -> BuildContext:
    """Return a build context with a compiler that copies its source, and counts its calls."""
    for name in ("servers/a", "cache", "run/logs", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "servers/a/a.txt").write_text("source", encoding="utf-8")
    script(tmp_path, COMPILER)
    env = {"PATH": f"{tmp_path / 'bin'}:{os.defpath}", "CALLS": str(tmp_path / "calls")}
    return BuildContext(tmp_path, tmp_path / "cache", tmp_path / "run", env, {"comp": "1.0"})


def script(root: Path, text: str) -> None:
    """Write the compiler."""
    compiler = root / "bin/comp"
    compiler.write_text(text, encoding="utf-8")
    compiler.chmod(0o755)


def program(**changes: object) -> Program:
    """Return a program that the compiler builds."""
    plain = Program(
        server="a", variant=None, title="a", language=None, class_="realistic", group="document", needs=("comp",),
        dir="servers/a", build=("comp", "{dir}/a.txt", "{out}", "{flags}"), run=("{out}",), config=None,
        flags=("-x",), env={}, unavailable=None,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def build(context: BuildContext, item: Program) -> BuildInfo:
    """Build one program."""
    heard: list[BuildInfo] = []
    infos = build_all([item], context, heard.append)
    assert heard == list(infos.values())
    return infos[item.name]


def calls(context: BuildContext) -> int:
    """Return how often the compiler was called."""
    file = context.root / "calls"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


def folders(context: BuildContext) -> list[Path]:
    """Return the folders in the cache, without links and hashes."""
    return [item for item in context.cache.iterdir() if item.is_dir() and not item.is_symlink()]


def test_a_program_is_built_once_and_then_comes_from_the_cache(context: BuildContext) -> None:
    """The second time says so; the built file and its command are the same."""
    first, second = build(context, program()), build(context, program())
    assert (first.status, second.status, calls(context)) == ("built", "cached", 1)
    assert first.argv == second.argv
    assert program_path(program(), context).read_text(encoding="utf-8") == "source"


def test_a_build_tells_its_command_and_keeps_its_output(context: BuildContext) -> None:
    """With placeholders filled and flags as words."""
    info = build(context, program())
    out = str(program_path(program(), context).resolve())
    assert info.argv == ("comp", str(context.root / "servers/a/a.txt"), out, "-x")
    assert info.log == "logs/build-a.txt"
    log = (context.folder / str(info.log)).read_text(encoding="utf-8")
    assert log.startswith("compiling with ")
    assert info.output_tail == log.strip()
    assert info.duration_s is not None


def test_a_changed_source_is_built_again(context: BuildContext) -> None:
    """And going back finds the old program in the cache."""
    source = context.root / "servers/a/a.txt"
    build(context, program())
    source.write_text("changed", encoding="utf-8")
    assert build(context, program()).status == "built"
    assert program_path(program(), context).read_text(encoding="utf-8") == "changed"
    source.write_text("source", encoding="utf-8")
    assert build(context, program()).status == "cached"


@pytest.mark.parametrize(
    "change", [{"flags": ("-y",)}, {"env": {"A": "1"}}, {"build": ("comp", "{dir}/a.txt", "{out}")}], ids=str
)
def test_another_flag_variable_or_command_is_another_build(context: BuildContext, change: dict[str, object]) -> None:
    """What goes in decides, nothing else."""
    build(context, program())
    assert build(context, program(**change)).status == "built"


def test_another_compiler_version_is_another_build(context: BuildContext) -> None:
    """An upgrade of the tools measures the upgraded program."""
    build(context, program())
    assert build(replace(context, tool_versions={"comp": "2.0"}), program()).status == "built"


def test_what_does_not_go_in_does_not_build_again(context: BuildContext) -> None:
    """Titles, start commands and compilers' own leavings."""
    build(context, program())
    (context.root / "servers/a/nimcache").mkdir()
    (context.root / "servers/a/nimcache/x.c").write_text("x", encoding="utf-8")
    assert build(context, program(title="b", run=("{out}", "-v"))).status == "cached"


def test_the_hash_of_sources_sees_names_and_contents(tmp_path: Path) -> None:
    """But not the order of the folder."""
    (tmp_path / "x").mkdir()
    empty = source_hash(tmp_path)
    (tmp_path / "x/a").write_text("1", encoding="utf-8")
    first = source_hash(tmp_path)
    (tmp_path / "x/a").rename(tmp_path / "x/b")
    second = source_hash(tmp_path)
    (tmp_path / "x/b").write_text("2", encoding="utf-8")
    assert len({empty, first, second, source_hash(tmp_path)}) == 4
    assert source_hash(tmp_path / "none") == empty


def test_nothing_to_build_is_no_failure(context: BuildContext) -> None:
    """Scripts are started as they are."""
    info = build(context, program(build=()))
    assert (info.status, info.argv, info.log) == ("none", (), None)


def test_a_failing_build_keeps_its_last_lines(context: BuildContext) -> None:
    """And says with which status it ended; nothing enters the cache."""
    script(context.root, '#!/bin/sh\nfor n in $(seq 40); do echo "line $n"; done\necho "a.nim(3) Error" >&2\nexit 7\n')
    info = build(context, program())
    assert info.status == "failed"
    lines = info.output_tail.splitlines()
    assert lines[0] == "line 27"
    assert lines[-2:] == ["a.nim(3) Error", "comp ended with exit status 7"]
    assert list(context.cache.iterdir()) == []


def test_a_failed_build_is_tried_again(context: BuildContext) -> None:
    """Only what worked is kept."""
    script(context.root, "#!/bin/sh\nexit 1\n")
    assert build(context, program()).status == "failed"
    script(context.root, COMPILER)
    assert build(context, program()).status == "built"


def test_one_failure_does_not_stop_the_others(context: BuildContext) -> None:
    """Each program has its own result."""
    script(context.root, f'{COMPILER}\n[ "$3" != -bad ]\n')
    items = [program(), program(variant="bad", flags=("-bad",)), program(variant="good", flags=("-good",))]
    infos = build_all(items, context, lambda _: None)
    assert {name: info.status for name, info in infos.items()} == {"a": "built", "a.bad": "failed", "a.good": "built"}


def test_a_crash_of_the_compiler_is_told_by_its_signal(context: BuildContext) -> None:
    """Out of memory looks like this."""
    script(context.root, "#!/bin/sh\nkill -KILL $$\n")
    assert build(context, program()).output_tail == "comp ended with SIGKILL"


def test_a_build_that_writes_nothing_is_told(context: BuildContext) -> None:
    """Status 0 is not enough."""
    script(context.root, "#!/bin/sh\n")
    info = build(context, program())
    assert (info.status, info.output_tail) == ("failed", "comp ended with exit status 0, but did not write {out}")


def test_a_missing_compiler_is_told(context: BuildContext) -> None:
    """With the system's reason."""
    info = build(context, program(build=("no-such-compiler", "{out}")))
    assert (info.status, info.output_tail) == ("failed", "cannot run no-such-compiler: No such file or directory")


def sleepers(seconds: str) -> list[int]:
    """Return the processes that sleep for exactly this time."""
    found = psutil.process_iter(["cmdline"])
    return [process.pid for process in found if (process.info["cmdline"] or [])[-2:] == ["sleep", seconds]]


def test_a_build_that_takes_too_long_is_ended_with_all_it_started(context: BuildContext) -> None:
    """A compiler's children must not compete with the first trial, not even those that detached themselves."""
    script(context.root, "#!/bin/sh\necho started\nsleep 61.5 &\nsetsid env -i sleep 61.5 &\nwait\n")
    info = build(replace(context, limits=Limits(build_time="1s")), program())
    assert info.status == "failed"
    assert info.output_tail.splitlines() == ["started", "comp did not end within 1s (`build_time` in [limits])"]
    assert sleepers("61.5") == []


def test_a_compiler_s_daemon_ends_with_the_build(context: BuildContext) -> None:
    """Some leave a server behind that would compile faster the next time; it would run beside the trials."""
    script(context.root, f"{COMPILER}\nsetsid env -i sleep 62.5 >&- 2>&- &\n")
    assert build(context, program()).status == "built"
    assert sleepers("62.5") == []


def test_a_build_that_writes_too_much_is_ended(context: BuildContext) -> None:
    """It would fill the disk, and every trial after it would fail for that."""
    script(context.root, '#!/bin/sh\nhead -c 3000000 /dev/zero > "$2"\nsleep 60\n')
    info = build(replace(context, limits=Limits(build_output="1MiB")), program())
    assert info.output_tail == "comp wrote 2.86 MiB, more than 1 MiB (`build_output` in [limits])"
    assert list(context.cache.iterdir()) == []


def test_an_interrupted_build_leaves_nothing(context: BuildContext) -> None:
    """Neither processes nor files."""
    script(context.root, '#!/bin/sh\nsetsid env -i sleep 63.5 &\ncase "$2" in *a.bad*) wait;; esac\ncat "$1" > "$2"\n')

    def interrupt(_: BuildInfo) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_all([program(), program(variant="bad"), program(variant="bad2")], context, interrupt)
    assert sleepers("63.5") == []
    assert [file.name for file in context.cache.iterdir() if ".bad" in file.name] == []


def test_a_build_that_is_interrupted_while_it_starts_leaves_nothing(
    context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not known yet that there is one."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(builds, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(context, program())
    assert list(context.cache.iterdir()) == []


def test_temporary_files_of_a_build_are_gone_with_it(context: BuildContext) -> None:
    """A compiler that is killed leaves its own behind, so they do not lie in a folder that everybody shares."""
    script(context.root, '#!/bin/sh\necho x > "$TMPDIR/left.s"; echo "$TMPDIR" > "$CALLS"; cat "$1" > "$2"\n')
    assert build(context, program()).status == "built"
    folder = Path((context.root / "calls").read_text(encoding="utf-8").strip())
    assert folder.is_relative_to(context.cache)
    assert not folder.exists()


def test_an_empty_program_is_no_program(context: BuildContext) -> None:
    """A full disk leaves such behind."""
    script(context.root, '#!/bin/sh\n: > "$2"\n')
    assert build(context, program()).output_tail == "comp ended with exit status 0, but did not write {out}"


@pytest.mark.parametrize("damage", [b"", b"other source", None], ids=["emptied", "changed", "deleted"])
def test_a_program_that_is_not_what_was_built_is_built_again(context: BuildContext, damage: bytes | None) -> None:
    """What is measured is what was built."""
    build(context, program())
    built = program_path(program(), context)
    built.unlink() if damage is None else built.write_bytes(damage)
    assert build(context, program()).status == "built"
    assert built.read_text(encoding="utf-8") == "source"
    assert len(folders(context)) == 1


def test_what_an_earlier_version_built_is_built_again(context: BuildContext) -> None:
    """It stored no hash."""
    old = program_path(program(), context)
    old.parent.mkdir()
    old.write_text("old", encoding="utf-8")
    assert build(context, program()).status == "built"
    assert old.read_text(encoding="utf-8") == "source"


def test_what_a_killed_build_left_is_removed_but_not_what_a_living_one_works_in(context: BuildContext) -> None:
    """The folder of one that lives is locked."""
    link = program_path(program(), context).parent
    living = open_place(link)
    killed = link.with_name(f"{link.name}.0123abcd")
    killed.mkdir()
    (killed / "half").touch()
    build(context, program())
    assert not killed.exists()
    assert living.folder.exists()
    living.close()
    assert len(folders(context)) == 1


def test_a_program_stays_where_it_was_built(context: BuildContext) -> None:
    """A virtual environment names its own path, and so does what `configure --prefix` installs."""
    script(context.root, '#!/bin/sh\nmkdir "$2"; echo "$2/bin" > "$2/where"; ln -s where "$2/link"\n')
    assert build(context, program()).status == "built"
    built = program_path(program(), context).resolve()
    assert (built / "link").read_text(encoding="ascii").strip() == f"{built}/bin"
    assert build(context, program()).status == "cached"


def test_a_build_sees_the_environment_of_its_program(context: BuildContext) -> None:
    """Beside that of the build context; placeholders in it are filled."""
    script(context.root, '#!/bin/sh\necho "$A $PWD"\ncat "$1" > "$2"\n')
    info = build(context, program(env={"A": "threads={threads}"}))
    assert info.output_tail == f"threads=1 {context.root / 'servers/a'}"


def test_what_the_build_leaves_beside_the_program_is_not_kept(context: BuildContext) -> None:
    """The scratch folder held it; the cache holds programs only."""
    script(
        context.root, f'{COMPILER}\nmkdir -p "$(dirname "$2")/nimcache"\ntouch "$(dirname "$2")/nimcache/x" "$2.o"\n'
    )
    build(context, program())
    (kept,) = folders(context)
    assert [file.name for file in kept.iterdir()] == ["program"]


def test_a_build_may_leave_files_among_its_sources(context: BuildContext) -> None:
    """What is built is looked for under the hash that the sources had before."""
    script(context.root, '#!/bin/sh\necho > made.o; cat "$1" > "$2"\n')
    before = program_path(program(), context)
    assert build(context, program()).status == "built"
    assert before.exists()
    assert program_path(program(), context) != before
