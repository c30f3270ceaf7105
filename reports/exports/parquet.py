"""Apache Parquet, written by pyarrow, which is installed only where somebody wants it. Pure.

Every column has the type of its field, also where all of it is null, so that files of several runs can be read as one.
"""

from __future__ import annotations

import io

from reports.exports.columns import Sheet
from runners.errors import UnfitMachine
from runners.resources import root

GROUP = "parquet"


def to_parquet(sheet: Sheet) -> bytes:
    """Return records as a Parquet file; raise UnfitMachine, with the command that installs it, without pyarrow."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - 50 MB that only this needs
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UnfitMachine(f"Parquet needs the Python package pyarrow; install it with: {_install()}") from error
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(column.name, kinds[column.kind]) for column in sheet.columns])
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([dict(each) for each in sheet.records], schema=schema), stream)
    return stream.getvalue()


def _install() -> str:
    return f"python -m pip install --require-hashes --requirement {root() / 'requirements' / f'{GROUP}.txt'}"
