"""Every export, read by the program that it is made for: benchstat, DuckDB, pandas, pyarrow and HdrHistogram."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reports.exports.numbers import Numbers, numbers_of
from runners.records.folder import read_folder
from speedup.entry import main
from tests.support import ROOT
from tests.support.example_run import write_example

GO_TOOLS = Path(__file__).with_name("gotools")  # a module whose go.sum pins the program
PAGE = ROOT / "docs" / "how-to" / "export-numbers.md"
FILES = {"rows.csv": "rows", "rows.parquet": "rows", "trials.jsonl": "trials", "trials.parquet": "trials"}


@pytest.fixture(name="run", scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    return write_example(tmp_path_factory.mktemp("results") / "run")


@pytest.fixture(name="numbers", scope="module")
def numbers_fixture(run: Path) -> Numbers:
    """Return its numbers."""
    return numbers_of([read_folder(run)])


@pytest.fixture(name="files", scope="module")
def exported_files(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with its exports, as the how-to page makes them."""
    folder = tmp_path_factory.mktemp("exports")
    for name, of in FILES.items():
        assert main(["export", str(run), "--of", of, "--output", str(folder / name)]) == 0
    return folder


def benchstat(*words: str) -> list[list[str]]:
    """Return what benchstat prints as CSV."""
    argv = ["go", "tool", "benchstat", "-format", "csv", *words]
    done = subprocess.run(argv, cwd=GO_TOOLS, capture_output=True, text=True, timeout=100, check=True)
    return list(csv.reader(io.StringIO(done.stdout)))


@pytest.mark.network
def test_benchstat_finds_the_median_of_each_row(run: Path, numbers: Numbers, tmp_path: Path) -> None:
    """The same as ours, of the same trials."""
    file = tmp_path / "run.txt"
    main(["export", str(run), "--format", "benchstat", "--output", str(file)])
    table = benchstat("-filter", ".unit:requests/s /design:solo", str(file))
    found = {row[0]: float(row[1]) for row in table if row and row[0].startswith("HTTP/")}
    rows = numbers.measured.values()
    keys = ("server", "variant", "threads", "connections", "mode")
    assert found == {
        "HTTP" + "".join(f"/{key}={row[key]}" for key in keys if row[key] is not None) + "/design=solo/load=wrk": row[
            "requests_per_s"
        ]
        for row in rows
    }


@pytest.mark.network
def test_benchstat_compares_two_runs(run: Path, tmp_path: Path) -> None:
    """A run with itself: nothing differs, and it knows which way is better."""
    file = tmp_path / "run.txt"
    main(["export", str(run), "--format", "benchstat", "--output", str(file)])
    table = benchstat("-filter", ".unit:server-cpu-us/request /design:duet", str(file), str(file))
    compared = [row for row in table if row and row[0].startswith("HTTP/")]
    assert compared
    assert {row[5] for row in compared} == {"~"}


def test_duckdb_and_pandas_read_what_the_page_says(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the how-to page is executed beside its files."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert {"duckdb" in block for block in blocks} == {True, False}
    monkeypatch.chdir(files)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("name", FILES)
def test_duckdb_reads_every_number_exactly(files: Path, numbers: Numbers, name: str) -> None:
    """From each of the formats."""
    import duckdb  # noqa: PLC0415 - only acceptance tests have it

    sheet = getattr(numbers, FILES[name])
    numeric = [column.name for column in sheet.columns if column.kind in {int, float}]
    said = ", ".join(f'CAST("{column}" AS DOUBLE)' for column in numeric)
    found = duckdb.sql(f"SELECT {said} FROM '{files / name}'").fetchall()  # noqa: S608 - our own names
    assert found == [tuple(record[column] for column in numeric) for record in sheet.records]


@pytest.mark.parametrize("of", ["rows", "trials"])
def test_pyarrow_reads_the_records_as_they_were(files: Path, numbers: Numbers, of: str) -> None:
    """Types too: a column that is null throughout keeps its own."""
    from pyarrow import parquet  # noqa: PLC0415 - as above

    table = parquet.read_table(files / f"{of}.parquet")
    sheet = getattr(numbers, of)
    kinds = {str: "string", int: "int64", float: "double", bool: "bool"}
    assert [(field.name, str(field.type)) for field in table.schema] == [
        (column.name, kinds[column.kind]) for column in sheet.columns
    ]
    assert table.to_pylist() == list(sheet.records)


def test_pandas_reads_the_same_median(files: Path, numbers: Numbers) -> None:
    """From CSV, to the last bit."""
    import pandas as pd  # noqa: PLC0415 - as above

    found = pd.read_csv(files / "rows.csv")
    told = [row["requests_per_s"] for row in numbers.rows.records if row["requests_per_s"] is not None]
    assert found["requests_per_s"].dropna().to_list() == told


def test_hdrhistogram_prints_the_same_percentiles(run: Path, numbers: Numbers, tmp_path: Path) -> None:
    """Within the three digits that it keeps; ours are exact."""
    from hdrh.histogram import HdrHistogram  # noqa: PLC0415 - as above

    main(["export", str(run), "--format", "hgrm", "--output", str(tmp_path)])
    for name, exact in numbers.histograms.items():
        theirs = HdrHistogram(1, 10**8, 3)
        for latency_us, count in exact.items():
            theirs.record_value(latency_us, count)
        text = (tmp_path / f"{name.replace('/', '-')}.hgrm").read_text(encoding="utf-8")
        mine, its = read_hgrm(text), read_hgrm(printed(theirs))
        assert mine[-1][2] == its[-1][2] == sum(exact.values())
        for value, share, _ in its:
            ours = next(found for found, reached, _ in mine if reached >= share - 1e-9)
            assert abs(ours - value) <= value * 0.002 + 1


def printed(histogram: Any) -> str:
    """Return HdrHistogram's own percentile distribution."""
    stream = io.BytesIO()
    histogram.output_percentile_distribution(stream, 1)
    return stream.getvalue().decode()


def read_hgrm(text: str) -> list[tuple[float, float, int]]:
    """Return value, percentile and count of each line."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*\d", line)]
    return [(float(value), float(share), int(count)) for value, share, count, *_ in rows]
