"""Parquet without pyarrow: what is missing, and how to install it. With it, see tests/acceptance."""

from __future__ import annotations

import sys

import pytest

from reports.exports.columns import Column, Sheet
from reports.exports.parquet import to_parquet
from runners.errors import UnfitMachine


def test_without_pyarrow_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """From requirements with hashes, as everything else."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnfitMachine, match=r"pip install --require-hashes --requirement \S+/parquet\.txt"):
        to_parquet(Sheet((Column("name", str),), ()))
