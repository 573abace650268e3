"""Files of the table of labelled heads of several runs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_labels.table import runs_table
from mkbench.tables import publish_table


def write_heads(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write ``heads.csv`` and ``heads.md`` of finished runs and return their table for the console.

    Metrics that only ``mkbench heads`` adds are absent before it.

    Args:
        runs: runs of ``HeadDecomposition``.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.
    """
    return publish_table(runs_table(runs), folder, "heads", width=width)
