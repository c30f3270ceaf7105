"""What a release holds, what is pinned, and that the front doors agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli

from runners import resources, version
from tests.support import ROOT

REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DATA = "speedup_data"


def build(target: str, folder: Path) -> Path:
    """Build a wheel without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("http_speedup-*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of a release."""
    return build("wheel", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """Return the names of the wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize(
    "name",
    [
        "speedup/entry.py",
        "runners/matrix/model.py",
        "runners/tools/tools.toml",
        "reports/__init__.py",
        f"{DATA}/matrix.toml",
        f"{DATA}/matrix.schema.json",
        f"{DATA}/servers/asynchttp/asynchttp.nim",
        f"{DATA}/servers/go/main.go",
        f"{DATA}/requirements/bench.txt",
        f"{DATA}/requirements/locust.txt",
        f"{DATA}/requirements/tool-nim.txt",
        f"{DATA}/requirements/tool-go.txt",
    ],
)
def test_the_wheel_holds_what_an_installed_speedup_needs(names: list[str], name: str) -> None:
    """Modules lie on top, data under one folder."""
    assert name in names


@pytest.mark.parametrize("folder", ["servers", "templates", "published"])
def test_the_wheel_holds_every_file_of_the_data_folders(names: list[str], folder: str) -> None:
    """What git tracks there is there, at the same place below the data folder."""
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {f"{DATA}/{name}" for name in listed.stdout.split("\0") if name}
    assert tracked
    assert tracked <= set(names)


def test_the_wheel_holds_nothing_else(names: list[str]) -> None:
    """No tests, results, caches or compiled files travel."""
    assert {name.split("/")[0] for name in names} == {
        "speedup", "runners", "reports", DATA, f"http_speedup-{version.VERSION}.dist-info"
    }  # fmt: skip
    unwanted = re.compile(r"nimcache|__pycache__|\.pyc$|(^|/)results/|/\.")
    assert [name for name in names if unwanted.search(name)] == []


def started(wheel: Path, folder: Path, code: str) -> str:
    """Return what a program prints outside the checkout, with a wheel unpacked as pip does it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    program = f"import site, sys; sys.path.pop(0); site.addsitedir({str(folder / 'site')!r}); {code}"
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


WHERE = "from runners.resources import command_line, root; print(root(), command_line())"
PLAN = "from speedup.entry import main; sys.exit(main(['plan', '--only', 'epoll/t1', '--json']))"


def test_the_wheel_finds_its_data_in_its_own_folder(wheel: Path, tmp_path: Path) -> None:
    """And plans on the matrix that it carries."""
    assert started(wheel, tmp_path, WHERE).split() == [str(tmp_path / "site" / DATA), "speedup"]
    assert "epoll/t1/c64/persistent" in started(wheel, tmp_path, PLAN)


def test_a_checkout_that_is_installed_in_place_uses_its_own_files(tmp_path: Path) -> None:
    """`pip install -e .` and `uv sync` build this wheel: what is edited is what runs, and nothing moved away."""
    editable = build("wheel:editable", tmp_path)
    assert started(editable, tmp_path, WHERE).split() == [str(ROOT), "python", "-m", "speedup"]
    assert "epoll/t1/c64/persistent" in started(editable, tmp_path, PLAN)


def test_the_checkout_finds_its_data_beside_the_code() -> None:
    """In a checkout what people edit is what is used."""
    assert resources.root() == ROOT
    assert resources.command_line() == "python -m speedup"


def test_the_wheel_has_the_version_that_the_program_prints(wheel: Path) -> None:
    """The version stands in runners/version.py alone."""
    assert wheel.name == f"http_speedup-{version.VERSION}-py3-none-any.whl"


def test_the_dependencies_are_the_groups_for_measuring_and_reporting() -> None:
    """A group cannot be included in the dependencies, so they are written twice and kept the same."""
    groups = PROJECT["dependency-groups"]
    assert sorted(PROJECT["project"]["dependencies"]) == sorted(groups["bench"] + groups["report"])
    assert PROJECT["project"]["optional-dependencies"] == {"parquet": groups["parquet"]}


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.stem)
def test_every_requirement_is_pinned_with_hashes(file: Path) -> None:
    """Each entry names one version and at least one hash."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.stem)
def test_requirements_name_no_index_and_no_machine(file: Path) -> None:
    """Where packages come from is for the person who installs them to say."""
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|://", text)
    assert not re.search(r"(^|[\s'\"=])/\w", text, re.MULTILINE)


def test_requirements_that_are_installed_together_agree() -> None:
    """A session installs several files into one environment, so they pin the same versions."""
    pins: dict[str, set[str]] = {}
    for file in (ROOT / "requirements" / f"{name}.txt" for name in ("bench", "tests", "lint", "parquet", "consumers")):
        for name, pin, marker in re.findall(
            r"^([a-z0-9._-]+)==(\S+)(?: ; (.*?))? \\$", file.read_text(encoding="utf-8"), re.MULTILINE
        ):
            pins.setdefault(f"{name} {marker}", set()).add(pin)
    assert {name: sorted(found) for name, found in pins.items() if len(found) > 1} == {}


def test_requirements_hold_what_their_groups_ask_for() -> None:
    """A dependency that is added but not locked is noticed here, not on somebody's machine."""
    asked = PROJECT["dependency-groups"]
    for name, groups in {
        "bench": ("bench", "report"),
        "tests": ("tests",),
        "docs": ("docs",),
        "locust": ("locust",),
        "parquet": ("parquet",),
    }.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        for entry in (entry for group in groups for entry in asked[group]):
            assert re.search(rf"^{re.match(r'[a-z0-9-]+', entry)[0]}==", text, re.MULTILINE), entry  # type: ignore[index]
