"""Faithfulness table: removal curves and agreement with ground truth of each explainer."""

from collections.abc import Iterator, Sequence

from mkbench.studies.control_marks import marks_of
from mkbench.studies.faithfulness.study import (
    CSV_METRICS,
    EXACT,
    INTERVENTION,
    REMOVAL,
    STABILITY,
    Row,
    notes,
    shown_metrics,
)
from mkbench.studies.metric_columns import metric_column, own_columns
from mkbench.studies.mutual_knowledge.table import CSV_EXPLAINER, CSV_MODEL, CSV_RANDOM_WEIGHTS, MODEL, PARTS
from mkbench.tables import Cell, Column, Layout, ResultTable, csv_bounds


def shown_column(metric: str) -> Column:
    """Return the column of a metric, with marks of the controls that are no worse.

    >>> shown_column("part_iou").title
    'part IoU ↑'
    """

    def cell(row: Row) -> Cell:
        return Cell(row["estimates"].get(metric), marks=marks_of(row["not_separated"], metric))

    return metric_column(metric, cell)


def _for_programs(metric: str) -> Iterator[Column]:
    """Full precision, and the controls from which the interval of the difference holds 0."""

    def missed(row: Row) -> str:
        return " ".join(row["not_separated"].get(metric, []))

    yield Column(None, lambda row: row["estimates"].get(metric), csv=csv_bounds(metric))
    yield Column(None, missed, csv=f"{metric}_not_separated_from")


def _cost(name: str, heading: str | None) -> Column:
    return Column(
        heading,
        lambda row: row["costs"].get(name),
        decimals=1,
        higher_is_better=False,
        csv=None if heading else f"{name}_of_an_image",
    )


def _layouts(metrics: Sequence[str], own: Sequence[str]) -> list[Layout]:
    titles = {metric: metric_column(metric, metric).title for metric in metrics}
    removal = [title for metric, title in titles.items() if metric in REMOVAL]
    stability = [title for metric, title in titles.items() if metric in STABILITY]
    changed = [title for metric, title in titles.items() if metric in INTERVENTION]
    exact = [title for metric, title in titles.items() if metric in EXACT]
    special = (*REMOVAL, *STABILITY, *INTERVENTION, *EXACT)
    others = [title for metric, title in titles.items() if metric not in special]
    others += own
    two = [removal, exact, others, stability, changed]
    three = [removal, exact, others[:4], others[4:], stability[:3], stability[3:], changed[:3], changed[3:]]
    return [
        *(Layout("below", parts) for parts in ([], two, three)),
        *(Layout("none", parts) for parts in (two, three)),
    ]


def faithfulness_table(rows: Sequence[Row]) -> ResultTable:
    """Declare the table of faithfulness.

    A narrow terminal gets the removal curves in a table of their own, then a third table; a still narrower one no
    intervals, in as few tables as it can hold. The CSV has every metric, print those that some row has.

    Args:
        rows: from ``faithfulness_rows``.

    >>> [column.title for column in faithfulness_table([]).shown]
    ['model', 'parts']
    """
    metrics = shown_metrics(rows)
    about = [MODEL, CSV_MODEL, CSV_RANDOM_WEIGHTS, PARTS, CSV_EXPLAINER]
    for_programs = [column for metric in CSV_METRICS for column in _for_programs(metric)]
    own = own_columns(rows, lambda row: row["own"])
    if any(row["costs"] for row in rows):
        own += [_cost("forwards", "forwards"), _cost("ms", "ms an image")]
    for_programs += [_cost("forwards", None), _cost("ms", None), Column(None, "forward_ms", csv="forward_ms")]
    return ResultTable(
        [*about, *map(shown_column, metrics), *own, *for_programs],
        rows,
        notes=notes(rows),
        notes_width="terminal",
        section=MODEL.cell,
        layouts=_layouts(metrics, [column.title for column in own]),
    )
