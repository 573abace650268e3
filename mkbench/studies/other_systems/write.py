"""Files of the table of all metrics of runs whose systems have no study of their own."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.other_systems.table import metrics_table
from mkbench.tables import publish_table


def write_other_systems(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write ``metrics.csv`` and ``metrics.md`` of finished runs and return their table for the console.

    Args:
        runs: finished runs of any system.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.
    """
    return publish_table(metrics_table(runs), folder, "metrics", width=width)
