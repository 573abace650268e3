"""Faithfulness table: removal curves and agreement with ground truth of each explainer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.control_marks import marks_of
from mkbench.studies.faithfulness.study import (
    CSV_METRICS,
    REMOVAL,
    Row,
    faithfulness_rows,
    notes,
    shown_metrics,
)
from mkbench.studies.metric_columns import metric_column
from mkbench.studies.mutual_knowledge.table import CSV_EXPLAINER, CSV_MODEL, CSV_RANDOM_WEIGHTS, MODEL, PARTS
from mkbench.studies.presentation import Presentation
from mkbench.tables import Cell, Column, Layout, ResultTable, csv_bounds, to_console, write_table

_STEM, _KINDS = "faithfulness", ("csv", "md", "tex")  # of the files


def _shown(metric: str) -> Column:
    def cell(row: Row) -> Cell:
        return Cell(row["estimates"].get(metric), marks=marks_of(row["not_separated"], metric))

    return metric_column(metric, cell)


def _for_programs(metric: str) -> Iterator[Column]:
    """Full precision, and the controls from which the interval of the difference holds 0."""

    def missed(row: Row) -> str:
        return " ".join(row["not_separated"].get(metric, []))

    yield Column(None, lambda row: row["estimates"].get(metric), csv=csv_bounds(metric))
    yield Column(None, missed, csv=f"{metric}_not_separated_from")


def _layouts(metrics: Sequence[str]) -> list[Layout]:
    titles = {metric: metric_column(metric, metric).title for metric in metrics}
    removal = [title for metric, title in titles.items() if metric in REMOVAL]
    others = [title for metric, title in titles.items() if metric not in REMOVAL]
    two, three = [removal, others], [removal, others[:4], others[4:]]
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
    return ResultTable(
        [*about, *map(_shown, metrics), *for_programs],
        rows,
        notes=notes(rows),
        notes_width="terminal",
        section=MODEL.cell,
        layouts=_layouts(metrics),
    )


def present_faithfulness(runs: Sequence[Run]) -> Presentation | None:
    """Return the table of faithfulness, for a page; None if no run measured any."""
    rows = faithfulness_rows([run.labelled() for run in runs])
    table = replace(faithfulness_table(rows), title="Removal curves and agreement with ground truth")
    return Presentation("Faithfulness", [table]) if rows else None


def write_faithfulness(runs: Sequence[Run], folder: str | Path, *, width: int = 120) -> Group | None:
    """Write the table of faithfulness, and return it for the console; nothing if no run measured any.

    Writes ``faithfulness.csv``, ``faithfulness.md`` and ``faithfulness.tex``; those of an earlier table are removed.

    Args:
        runs: finished runs.
        folder: where to write; made where it is missing.
        width: columns of the terminal.

    Example:
        >>> results = {"model": {"name": "a", "random_weights": False}, "metrics": []}
        >>> write_faithfulness([Run(Path("a"), "a", results, {})], "an empty folder") is None
        True
    """
    rows = faithfulness_rows([run.labelled() for run in runs])
    target = Path(folder)
    for kind in _KINDS:
        (target / f"{_STEM}.{kind}").unlink(missing_ok=True)
    if not rows:
        return None
    table = faithfulness_table(rows)
    write_table(table, target, _STEM, _KINDS)
    return to_console(table, width=width)
