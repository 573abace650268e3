"""Files of the table of segmentation by heads."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_segmentation.table import segmentation_table
from mkbench.tables import to_console, write_table


def write_segmentation(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Group:
    """Write ``segmentation.csv`` and ``segmentation.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``HeadSegmentation``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    table = segmentation_table(runs)
    write_table(table, folder, "segmentation")
    return to_console(table, width=width)
