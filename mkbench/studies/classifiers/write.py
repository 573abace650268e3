"""Files of the table of trained classifiers."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.table import classifier_rows, classifiers_table, note
from mkbench.tables import to_console, write_table


def write_classifiers(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Group:
    """Write ``classifiers.csv`` and ``classifiers.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``BaselineAccuracy``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    table = classifiers_table(classifier_rows(runs), caption=note(runs))
    write_table(table, folder, "classifiers")
    return to_console(table, width=width)
