"""Metrics of tables of rows: which are computed for whom, and their entries of ``results.json``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.metric_results import Result, metric_results
from mkbench.metrics.row_metric import Rows
from mkbench.runs.group_files import GroupRecord

#: Explainer (or method, or classifier), None for the model itself -> the metrics that are computed of it.
Layout = Mapping[str | None, Sequence[MetricEntry]]
#: The same -> its columns.
OwnedRows = Mapping[str | None, Rows]


#: Columns that are held as lists: as many as one metric reads.
_HELD = 2


class TableRows(Mapping[str, Sequence[Any]]):
    """Columns of a table as lists, each read when it is asked for; a few are kept, since lists take ten times as much.

    Args:
        table: one row for each image.
        names: names of the columns here -> in the table; None: all, as they are called.

    >>> rows = TableRows(pa.table({"top1_probe": [True, None]}), {"top1": "top1_probe"})
    >>> list(rows), rows["top1"]
    (['top1'], [True, None])
    """

    def __init__(self, table: pa.Table, names: Mapping[str, str] | None = None) -> None:
        self._table = table
        self._names = {name: name for name in table.column_names} if names is None else names
        self._lists: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        """Return a column."""
        if name not in self._lists:
            while len(self._lists) >= _HELD:
                del self._lists[next(iter(self._lists))]  # the one that was read first
            self._lists[name] = self._table[self._names[name]].to_pylist()
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        """Name the columns."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._names)


class JoinedGroups(NamedTuple):
    """All groups of a run, joined.

    Attributes:
        rows: in canonical order, which does not depend on who computed which group.
        fallbacks: ``GroupRecord.fallbacks`` of each group, by the order of the keys.
        unreadable: the messages about images that were left out, group by group.
    """

    rows: pa.Table
    fallbacks: list[dict[str, dict[str, int]]]
    unreadable: list[str]


def join_groups(records: Iterable[GroupRecord]) -> JoinedGroups:
    """Join the groups of a run, each of which is asked for once: memory holds one copy of the rows in the end.

    Args:
        records: the groups, in any order.

    >>> join_groups([GroupRecord("00000-000", pa.table({"class_index": [0], "sample_id": ["owl.png"]}))]).unreadable
    []
    """
    ordered = sorted(records, key=lambda record: record.key)
    # A group without a readable image has none of the scorers' columns.
    rows = pa.concat_tables([record.rows for record in ordered], promote_options="default")
    return JoinedGroups(
        rows.sort_by([("class_index", "ascending"), ("sample_id", "ascending")]),
        [record.fallbacks for record in ordered],
        [message for record in ordered for message in record.unreadable],
    )


def rows_by(rows: pa.Table, column: str) -> dict[str | None, pa.Table]:
    """Split rows by what a column says; the model's own are those of the first.

    >>> rows = pa.table({"explainer": ["pca", "kmeans"], "top1": [True, True]})
    >>> list(rows_by(rows, "explainer"))
    [None, 'pca', 'kmeans']
    """
    names: list[str] = list(dict.fromkeys(rows[column].to_pylist()))
    tables: dict[str | None, pa.Table] = {name: rows.filter(pc.equal(rows[column], name)) for name in names}
    return {None: tables[names[0]], **tables} if names else {}


def layout_results(layout: Layout, rows: OwnedRows) -> list[Result]:
    """Return the metrics of everyone who has rows, as entries of ``results.json``."""
    return [
        result
        for owner, entries in layout.items()
        if owner in rows
        for result in metric_results(entries, rows[owner], owner)
    ]
