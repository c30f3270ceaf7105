"""Starting: nothing slow is imported before it is needed, and Ctrl-C is one line even then."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

SLOW = {"dataclasses", "inspect", "json", "jinja2", "logging", "matplotlib", "numpy", "pathlib", "psutil", "pydantic",
        "rich", "subprocess", "tomli", "typing"}  # fmt: skip

IMPORTS = """
import sys
before = set(sys.modules)
from speedup.entry import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*(set(sys.modules) - before), file=sys.stderr)
"""

CTRL_C = """
import os, signal, sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, CtrlC())
from speedup.entry import main
sys.exit(main(["plan"]))
"""


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own."""
    argv = [sys.executable, "-c", program, *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["plan", "--help"]], ids=" ".join)
def test_help_imports_nothing_slow(words: list[str]) -> None:
    """Nor other commands: it answers within 100 ms, which benchmarks/startup.py measures."""
    imported = set(python(IMPORTS, *words).stderr.split())
    assert "speedup.parser" in imported
    assert imported & SLOW == set()
    assert {name for name in imported if name.startswith("speedup.measure.")} <= {
        "speedup.measure.plan",
        "speedup.measure.options",
        "speedup.measure.servers",
    }


def test_a_misspelt_option_imports_nothing_slow() -> None:
    """Suggesting one takes no more than difflib."""
    said = python(IMPORTS, "plan", "--perset").stderr
    assert "did you mean --preset?" in said
    assert set(said.splitlines()[-1].split()) & SLOW == set()


def test_a_plan_imports_neither_plots_nor_trials() -> None:
    """Whoever plans measures nothing, and writes no report."""
    imported = python(IMPORTS, "plan", "--only", "python_epoll/t1").stderr.splitlines()[-1].split()
    assert "runners.plan.planning" in imported
    slow = (
        "jinja2",
        "matplotlib",
        "psutil",
        "reports",
        "rich",
        "runners.records",
        "runners.loads.wrk",
        "runners.trial",
    )
    assert not [name for name in imported if name.startswith(slow)]


@pytest.mark.parametrize("module", ["speedup.parser", "runners.errors", "pydantic"])
def test_ctrl_c_during_an_import_is_one_line(module: str) -> None:
    """The first second of a run is full of imports."""
    ended = python(CTRL_C, module)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "speedup: interrupted\n")


def test_ending_at_once_loses_neither_output_nor_exit_code() -> None:
    """Python does not tidy up behind a command, so the command line flushes by itself."""
    speedup = [sys.executable, "-m", "speedup"]
    schema = subprocess.run([*speedup, "schema"], cwd=ROOT, capture_output=True, check=True)
    assert schema.stdout == (ROOT / "matrix.schema.json").read_bytes()
    wrong = subprocess.run([*speedup, "report", "nowhere"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("speedup: nowhere is not a run folder")
