"""Metrics of tables of rows: which are computed for whom, and their entries of ``results.json``."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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


#: Values of a column that are Python objects at once: these take ten times as much as the column.
_LISTED = 4096


class _Column(Sequence[Any]):
    """Values of a column, of which a few thousand become Python objects at once."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self._values = values

    def __getitem__(self, index: Any) -> Any:
        """Return a value, or a list of some."""
        found = self._values[index]
        return found.to_pylist() if isinstance(index, slice) else found.as_py()

    def __iter__(self) -> Iterator[Any]:
        """Go through the values."""
        for start in range(0, len(self._values), _LISTED):
            yield from self._values.slice(start, _LISTED).to_pylist()

    def __len__(self) -> int:
        """Count the values."""
        return len(self._values)


class TableRows(Mapping[str, Sequence[Any]]):
    """Columns of a table, or of some of its rows, each read when it is asked for: memory holds one more column at most.

    Args:
        table: one row for each image.
        names: names of the columns here -> in the table; None: all, as they are called.
        places: of the rows that count, in their order; None: all.

    >>> rows = TableRows(pa.table({"top1_probe": [True, None]}), {"top1": "top1_probe"})
    >>> list(rows), list(rows["top1"])
    (['top1'], [True, None])
    """

    def __init__(
        self, table: pa.Table, names: Mapping[str, str] | None = None, *, places: pa.Array | None = None
    ) -> None:
        self._table, self._places = table, places
        self._names = {name: name for name in table.column_names} if names is None else names

    def __getitem__(self, name: str) -> Sequence[Any]:
        """Return a column."""
        column = self._table[self._names[name]]
        return _Column(column if self._places is None else column.take(self._places))

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


def join_groups(records: Iterable[GroupRecord], names: Collection[str] | None = None) -> JoinedGroups:
    """Join the groups of a run, each of which is asked for once: memory holds one copy of the rows.

    Args:
        records: the groups, in any order.
        names: of the columns that are wanted; None: all.

    >>> join_groups([GroupRecord("00000-000", pa.table({"class_index": [0], "sample_id": ["owl.png"]}))]).unreadable
    []
    """
    ordered = sorted((_keep(record, names) for record in records), key=lambda record: record.key)
    fallbacks = [record.fallbacks for record in ordered]
    unreadable = [message for record in ordered for message in record.unreadable]
    # A group without a readable image has none of the scorers' columns.
    rows = pa.concat_tables([record.rows for record in ordered], promote_options="default")
    del ordered
    order = pc.sort_indices(rows, sort_keys=[("class_index", "ascending"), ("sample_id", "ascending")])
    columns: dict[str, pa.ChunkedArray] = {}
    for name in rows.column_names:  # one at a time: two copies of all of them are too many
        columns[name] = rows[name].take(order)
        rows = rows.drop_columns([name])
    return JoinedGroups(pa.table(columns), fallbacks, unreadable)


def _keep(record: GroupRecord, names: Collection[str] | None) -> GroupRecord:
    """Return a group with the wanted ones of its columns."""
    if names is None:
        return record
    return replace(record, rows=record.rows.select([name for name in record.rows.column_names if name in names]))


def rows_by(rows: pa.Table, column: str, order: pa.Array | None = None) -> dict[str | None, Rows]:
    """Split rows by what a column says; the model's own are those of the first.

    Args:
        rows: of all.
        column: which says whose rows they are.
        order: places of all rows in the wanted order; None: as they are.

    >>> rows = pa.table({"explainer": ["pca", "kmeans"], "top1": [True, False]})
    >>> {owner: list(own["top1"]) for owner, own in rows_by(rows, "explainer").items()}
    {None: [True], 'pca': [True], 'kmeans': [False]}
    """
    owners = rows[column] if order is None else rows[column].take(order)
    own: dict[str | None, Rows] = {}
    for name in owners.unique().to_pylist():
        places = pc.indices_nonzero(pc.equal(owners, name))
        own[name] = TableRows(rows, places=places if order is None else order.take(places))
    return {None: next(iter(own.values())), **own} if own else {}


def layout_results(layout: Layout, rows: OwnedRows) -> list[Result]:
    """Return the metrics of everyone who has rows, as entries of ``results.json``."""
    return [
        result
        for owner, entries in layout.items()
        if owner in rows
        for result in metric_results(entries, rows[owner], owner)
    ]
