"""Table of mutual knowledge and head metrics side by side: a row for each model and explainer."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from mkbench.metrics.entry import Display
from mkbench.studies.concept_heads.choice import CONTROL, HEAD_METRICS
from mkbench.studies.metric_columns import metric_column, own_columns
from mkbench.studies.mutual_knowledge.table import (
    CSV_EXPLAINER,
    CSV_MODEL,
    CSV_RANDOM_WEIGHTS,
    MODEL,
    PARTS,
    Row,
    bench_notes,
    caption,
    information_columns,
    top1_column,
)
from mkbench.tables import Column, Layout, ResultTable, csv_bounds, to_console

_CSV_NAMES = {"ccs@5": "high_ccs"}  # what differs in the file for programs
_HEADS_NOTE = (
    "Over heads: entanglement (label shared with an earlier head), association (texts fit the label), CCS (texts out "
    "of five that do), CCS@5 (all five do), CCR (concepts that several heads of CCS 5 share, by such heads)."
)
_CARRIED_NOTE = (
    "Over classes: carried (their own mutual concepts project more on the head that carries them most than those of "
    "other classes do on theirs on average), beaten (share of other classes for which that holds; 0.5 for permuted "
    "classes)."
)


def concept_heads_table(rows: Sequence[Row], *, notes: Sequence[str] = ()) -> ResultTable:
    """Declare the table of both systems.

    A narrow terminal gets a table for each system, then one for the control too, a still narrower one no intervals.

    Args:
        rows: from ``concept_head_rows``.
        notes: lines below the captions.

    >>> [column.title for column in concept_heads_table([]).shown][:5]
    ['model', 'parts', 'top-1 % ↑', 'MI ↑', 'AUC ↑']
    """
    about = [CSV_MODEL, CSV_RANDOM_WEIGHTS, CSV_EXPLAINER]
    about += [Column(None, key, csv=key) for key in ("estimator", "images", "head_images")]
    breaks = {"mutual_information": "MI\n↑", "auc": "AUC\n↑", "chance": "chance\nAUC", "excess": "excess\nAUC ↑"}
    knowledge = [top1_column(console="top-1\n% ↑"), *information_columns(rows, console=breaks)]
    heads, control = [*map(_head_column, HEAD_METRICS)], [*map(_control_column, CONTROL)]
    own = own_columns(rows, lambda row: row["own"])
    knowledge_titles, head_titles, control_titles = (
        [column.title for column in columns] for columns in ([*knowledge, *own], heads, control)
    )
    two, three = [knowledge_titles, head_titles + control_titles], [knowledge_titles, head_titles, control_titles]
    fixed_notes = [*bench_notes(rows), _HEADS_NOTE, _CARRIED_NOTE, *notes]
    return ResultTable(
        [*about, MODEL, PARTS, *knowledge, *own, *heads, *control],
        rows,
        notes=[caption(rows, beside=False), *fixed_notes],
        short_notes=[caption(rows, intervals=False, beside=False), *fixed_notes],
        notes_width="terminal",
        section=MODEL.cell,
        layouts=(Layout("below"), Layout("below", two), Layout("below", three), Layout("none", two)),
    )


def _head_column(metric: str) -> Column:
    return metric_column(metric, metric, csv=csv_bounds(_CSV_NAMES.get(metric, metric)))


def _control_column(key: str) -> Column:
    return metric_column(Display(key, "", 2, True), key, csv=csv_bounds(key))


def concept_heads_console(rows: Sequence[Row], *, notes: Sequence[str] = (), width: int = 120) -> Group:
    """Render both systems side by side for a terminal, below a heading.

    Args:
        rows: from ``concept_head_rows``.
        notes: lines below the captions.
        width: columns of the terminal.

    >>> len(concept_heads_console([]).renderables)
    2
    """
    title = Text("Mutual knowledge and attention heads of the same models", style="italic")
    return Group(title, to_console(concept_heads_table(rows, notes=notes), width=width))
