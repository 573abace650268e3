"""Tables as CSV, for programs."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from mkbench.runs.results import Estimate
from mkbench.tables.cells import Value
from mkbench.tables.result_table import Column, ResultTable

_FORMULA = ("=", "+", "-", "@", "\t", "\n")


def to_csv(table: ResultTable) -> str:
    """Write a table as CSV: a row for each, full precision, absent values empty, truth values in lower case.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        table: of which the columns with a CSV name are written.

    >>> rows = [{"name": "=1+1", "auc": Estimate(0.5, (0.25, 0.75))}, {"name": "b", "auc": None}]
    >>> columns = [Column("model", "name", csv="model"), Column("AUC", "auc", csv=("auc", "auc_low", "auc_high"))]
    >>> print(to_csv(ResultTable(columns, rows)), end="")
    model,auc,auc_low,auc_high
    '=1+1,0.5,0.25,0.75
    b,,,
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [column for column in table.columns if column.csv is not None]
    writer.writerow([name for column in columns for name in _names(column)])
    writer.writerows([_field(value) for column in columns for value in _values(column, row)] for row in table.rows)
    return out.getvalue()


def _names(column: Column) -> tuple[str | None, ...]:
    return column.csv if isinstance(column.csv, tuple) else (column.csv,)


def _values(column: Column, row: Any) -> Iterator[Value]:
    """The value in a column of its own or, for three columns, followed by both ends of its interval."""
    value = column.cell(row).value
    estimate = value if isinstance(value, Estimate) else None
    yield value if estimate is None else estimate.value
    if isinstance(column.csv, tuple):
        yield from (estimate and estimate.interval) or (None, None)


def _field(value: Value) -> Value:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # the writer would not quote a lone one, which ends a row
    return f"'{text}" if text.startswith(_FORMULA) else text
