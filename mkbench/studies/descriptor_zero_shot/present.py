"""Presentation of descriptor zero-shot."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.descriptor_zero_shot.table import descriptor_row, descriptor_table
from mkbench.studies.presentation import Presentation


def present_descriptor_zero_shot(runs: Sequence[Run]) -> Presentation:
    """Return the table of descriptor zero-shot, for a page."""
    table = descriptor_table([descriptor_row(run) for run in runs])
    return Presentation("Descriptor zero-shot", [replace(table, title="Accuracy by what describes the classes")])
