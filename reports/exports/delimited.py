"""CSV (RFC 4180): a header, then a line per record. Pure.

Unknown is empty. Numbers are written so that they read back exactly. An apostrophe keeps a spreadsheet from running
text as a formula.
"""

from __future__ import annotations

import csv
import io

from reports.exports.columns import Sheet, Value
from reports.forms.page.downloads import csv_cell


def to_csv(sheet: Sheet) -> str:
    """Return records as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(sheet.names)
    writer.writerows([_cell(value) for value in record.values()] for record in sheet.records)
    return stream.getvalue()


def _cell(value: Value) -> str | float | None:
    return str(value).lower() if isinstance(value, bool) else csv_cell(value)
