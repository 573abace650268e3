"""Presentation of systems without a study of their own."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.other_systems.table import metrics_table
from mkbench.studies.presentation import Presentation


def present_other_systems(runs: Sequence[Run]) -> Presentation:
    """Return the table of all metrics of runs, for a page."""
    return Presentation("All metrics", [replace(metrics_table(runs), title="All metrics")])
