"""Files of the table of trained classifiers."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.table import classifier_rows, classifiers_table, note
from mkbench.tables import publish_table


def write_classifiers(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write ``classifiers.csv`` and ``classifiers.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``BaselineAccuracy``.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.
    """
    return publish_table(
        classifiers_table(classifier_rows(runs), caption=note(runs)), folder, "classifiers", width=width
    )
