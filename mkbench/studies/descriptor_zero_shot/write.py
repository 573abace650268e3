"""Files of zero-shot classification by descriptors: a table for print, and one for programs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.runs.finished_runs import Run
from mkbench.studies.descriptor_zero_shot.table import descriptor_row, descriptor_run_table, descriptor_table
from mkbench.tables import publish_table, write_table


def write_descriptor_zero_shot(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write ``descriptor_zero_shot.csv`` and ``.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``DescriptorZeroShot``.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.
    """
    rows = [descriptor_row(run) for run in runs]
    if folder is not None:
        write_table(descriptor_run_table(rows), folder, "descriptor_zero_shot", ("csv",))
    return publish_table(descriptor_table(rows), folder, "descriptor_zero_shot", ("md",), width=width)
