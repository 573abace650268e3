"""Files of the table of segmentation by heads."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_segmentation.table import segmentation_table
from mkbench.tables import publish_table


def write_segmentation(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write ``segmentation.csv`` and ``segmentation.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``HeadSegmentation``.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.
    """
    return publish_table(segmentation_table(runs), folder, "segmentation", width=width)
