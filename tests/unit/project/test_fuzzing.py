"""What guided fuzzing runs, and how it counts: a target that found something is never counted as clean."""

from __future__ import annotations

from tests.fuzzing.__main__ import concluded, table
from tests.fuzzing.targets import FOLDER, targets

CLEAN = """#2 INITED cov: 12 ft: 13 corp: 1/1b
#900 DONE cov: 345 ft: 400 corp: 7/90b
stat::number_of_executed_units: 900
"""


def test_every_reader_of_foreign_input_is_a_target() -> None:
    """All of tests/unit/fuzz; a test that needs more than generated input would be left out unnoticed."""
    modules = {file.stem.removeprefix("test_") for file in FOLDER.glob("test_*.py")}
    assert {name.partition(".")[0] for name in targets()} == modules
    assert "command_lines.what_only_reads_starts_nothing" not in targets()  # it needs a folder
    assert "matrices.any_matrix_is_read_or_refused_in_sentences" in targets()


def test_a_clean_target_has_its_counts() -> None:
    """The last ones that were printed."""
    found = concluded("t", 0, CLEAN)
    assert (found.executed, found.covered, found.finding) == (900, 345, "")


def test_a_target_that_ended_otherwise_has_found_something() -> None:
    """Whatever it printed, and if it printed nothing of use."""
    found = [concluded("t", 77, "falsified by {'data': b'x'}\n" + CLEAN), concluded("t", 1, "")]
    assert found[0].finding.startswith("falsified by {'data': b'x'}")
    assert [line.split()[-1] for line in table(found, 9).splitlines()[1:]] == ["yes", "yes"]
    assert table([concluded("t", 0, CLEAN)], 9).splitlines()[1].split() == ["t", "900", "345", "no"]
