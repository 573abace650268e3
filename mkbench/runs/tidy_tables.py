"""Tidy tables of finished runs, one observation a row, for Arrow and pandas."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mkbench.errors import DataError, UsageError
from mkbench.runs.group_files import finished_groups, read_groups
from mkbench.runs.schema import RunResults

if TYPE_CHECKING:
    import pandas

_METRIC_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("explainer", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("higher_is_better", pa.bool_()),
    ]
)
_RUN_SCHEMA = pa.schema([("run", pa.string()), ("model", pa.string())])


@dataclass(frozen=True)
class TidyTable:
    """A table for other programs.

    Attributes:
        table: its columns.

    >>> TidyTable(pa.table({"a": [1, 2]})).to_arrow().num_rows
    2
    """

    table: pa.Table

    def to_arrow(self) -> pa.Table:
        """Return the table for Arrow."""
        return self.table

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the table as a data frame.

        Raises:
            UsageError: pandas is not installed.
        """
        if find_spec("pandas") is None:
            raise UsageError("Expected pandas for to_pandas(), found none; install it, or use to_arrow().")
        return self.table.to_pandas()


def metric_rows(runs: Sequence[tuple[Path, str, RunResults]]) -> TidyTable:
    """Collect the metrics of runs, a row for each.

    Args:
        runs: folder, label and results of each.

    >>> metric_rows([]).to_arrow().column_names[:4]
    ['run', 'model', 'explainer', 'metric']
    """
    rows: list[dict[str, Any]] = []
    for folder, label, results in runs:
        for metric in results["metrics"]:
            low, high = metric.get("interval") or (None, None)
            own = {"run": folder.as_posix(), "model": label, "metric": metric["name"], "low": low, "high": high}
            shared = {name: metric.get(name) for name in ("explainer", "value", "n", "higher_is_better")}
            rows.append(own | shared)
    return TidyTable(pa.Table.from_pylist(rows, schema=_METRIC_SCHEMA))


def sample_rows(runs: Sequence[tuple[Path, str]]) -> TidyTable:
    """Collect the rows of all finished groups of runs.

    Args:
        runs: folder and label of each.

    Raises:
        DataError: a group file is damaged, or two runs hold different kinds of values in one column.

    >>> sample_rows([(Path("nowhere"), "ViT")]).to_arrow().num_rows
    0
    """
    tables = [_RUN_SCHEMA.empty_table()]
    for folder, label in runs:
        for group in read_groups(folder, finished_groups(folder)):
            rows = group.rows
            columns = [pa.array([value] * len(rows), pa.string()) for value in (folder.as_posix(), label)]
            own = pa.table([*columns, *rows.columns], names=[*_RUN_SCHEMA.names, *rows.column_names])
            tables.append(own)
    try:
        return TidyTable(pa.concat_tables(tables, promote_options="permissive"))
    except pa.ArrowException as error:
        raise DataError(
            f"Expected columns of one kind in all runs, found others ({error}); read the runs one by one."
        ) from error
