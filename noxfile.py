#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Sessions for Nox users. `nox` checks the project; `nox -s bench` measures servers and writes the report."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True

# Ctrl-C must leave the harness the time to end its servers and to record what was measured.
INTERRUPT_S = 60
TERMINATE_S = 20

# Some unit tests wait for others' deadlines rather than for a CPU.
MANY = ("--numprocesses=4", "--dist=worksteal")

SITE = "build/docs"  # git ignores it

# Each locked file, the dependency groups of pyproject.toml that it holds and the files it must agree with.
LOCKS = {
    "bench": (("bench", "report"), ()),
    "client": (("bench",), ("bench",)),
    "tests": (("tests",), ("bench",)),
    "parquet": (("parquet",), ("bench",)),
    "consumers": (("consumers",), ("bench", "parquet", "tests")),
    "lint": (("lint",), ("bench", "tests")),
    "docs": (("docs",), ()),
    "lock": (("lock",), ()),
    "fuzz": (("fuzz",), ("bench", "tests")),
    "locust": (("locust",), ()),
    "tool-go": (("tool-go",), ()),
    "tool-nim": (("tool-nim",), ()),
    "tool-granian": (("tool-granian",), ()),
    "tool-socketify": (("tool-socketify",), ()),
    "tool-uvicorn": (("tool-uvicorn",), ()),
}


@nox.session(default=False, reuse_venv=True)
def bench(session: nox.Session) -> None:
    """Measure the servers of matrix.toml and write the report; `-- --help` shows what can be chosen."""
    install(session, "bench")
    measure(session, "run", "--install", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def worker(session: nox.Session) -> None:
    """Load a server from this machine, as another one's `run` says: `-- --master HOST --token-file FILE`."""
    install(session, "client")
    measure(session, "worker", "--install", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def report(session: nox.Session) -> None:
    """Write the report of recorded runs again; `-- results/A results/B` merges several."""
    install(session, "bench")
    measure(session, "report", *session.posargs)


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """Check style, which room imports which, and types."""
    install(session, "lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("mypy")


@nox.session(reuse_venv=True)
def tests(session: nox.Session) -> None:
    """Run the tests; `-- tests/unit` runs the fast ones alone. Missing tools are installed first."""
    install(session, "bench", "tests")
    if session.posargs:
        install_tools(session, "tests")
        session.run(*pytest(*session.posargs))
        return
    with beside(session, *doctor("tests")):
        session.run(*pytest(*MANY, "tests/unit"))
    with beside(session, *pytest("-m", "not measures", "tests/integration")):
        session.run(*pytest("-m", "measures", "tests/integration"))  # one after another: they would measure each other


@nox.session(reuse_venv=True)
def docs(session: nox.Session) -> None:
    """Build the documentation's site in build/docs, without a warning, and check its links; needs no network."""
    install(session, "docs")
    shutil.rmtree(SITE, ignore_errors=True)  # a page that is gone must not satisfy a link
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "docs", SITE)
    session.run("python", "docs/check_site.py", SITE)
    session.log(f"{SITE}/index.html")


@nox.session(default=False, reuse_venv=True)
def acceptance(session: nox.Session) -> None:
    """Run what takes long: all servers of the field, the whole self-test, the faults of a fleet. Installs compilers.

    One test at a time: the self-test's faults are only recognized if nothing else uses the machine's CPUs.
    """
    install(session, "bench", "tests", "lock", "parquet", "consumers")
    install_tools(session, "tests", "load", "server")
    session.run(*pytest(*(session.posargs or ("tests/acceptance",))))


@nox.session(default=False, reuse_venv=True)
def chaos(session: nox.Session) -> None:
    """Attack real runs: each kind of fault once, or `-- --minutes 90`; `-- --seed S --only N` repeats an episode."""
    install(session, "bench", "tests")
    install_tools(session, "tests", "load")
    session.run("python", "-m", "tests.chaos", *session.posargs, interrupt_timeout=INTERRUPT_S)


@nox.session(default=False, reuse_venv=True)
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers of foreign input, guided by coverage: `-- --minutes 10`, `-- --only WORDS` for some of them."""
    install(session, "bench", "tests", "fuzz")
    session.run("python", "-m", "tests.fuzzing", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def lock(session: nox.Session) -> None:
    """Pin all requirements anew; `-- --upgrade` takes the newest versions."""
    install(session, "lock")
    for name, (groups, others) in LOCKS.items():
        session.run(
            "uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes",
            "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=nox -s lock",
            *(f"--group={group}" for group in groups),
            *(f"--constraint=requirements/{other}.txt" for other in others),
            f"--output-file=requirements/{name}.txt",
            *session.posargs,
        )  # fmt: skip


def install(session: nox.Session, *names: str) -> None:
    """Install locked requirements, each file checked against its hashes."""
    session.install("--require-hashes", *(f"--requirement=requirements/{name}.txt" for name in names))


def install_tools(session: nox.Session, *purposes: str) -> None:
    """Install the programs that are missing for some purposes, as far as that is allowed."""
    session.run(*doctor(*purposes))


def pytest(*words: str) -> tuple[str, ...]:
    """Return the command that runs some tests."""
    return ("python", "-m", "pytest", *words)


def doctor(*purposes: str) -> tuple[str, ...]:
    """Return the command that installs the programs that are missing for some purposes."""
    return ("python", "-m", "speedup", "doctor", "--install", *(f"--for={purpose}" for purpose in purposes))


@contextmanager
def beside(session: nox.Session, program: str, *arguments: str) -> Iterator[None]:
    """Let a program of the session's environment run meanwhile; what it prints is shown once it has ended."""
    session.log(f"{program} {' '.join(arguments)} (beside what follows)")
    argv = [str(Path(session.bin, program)), *arguments]
    env = {**os.environ, "PATH": os.pathsep.join([session.bin, os.environ.get("PATH", os.defpath)])}
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    )
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        output, _ = process.communicate()
        session.log(f"{program} {' '.join(arguments)}:\n{output.decode(errors='replace')}")
    if process.returncode:
        session.error(f"{program} failed")


def measure(session: nox.Session, *arguments: str) -> None:
    """Run the command line from the checkout."""
    session.run("python", "-m", "speedup", *arguments, interrupt_timeout=INTERRUPT_S, terminate_timeout=TERMINATE_S)


if __name__ == "__main__":
    nox.main()
