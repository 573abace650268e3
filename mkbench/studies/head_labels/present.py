"""Presentation of attention heads."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_labels.study import read_report
from mkbench.studies.head_labels.table import heads_table, metrics_table, runs_table
from mkbench.studies.presentation import Presentation


def present_heads(runs: Sequence[Run]) -> Presentation:
    """Return the table of runs, and the heads and metrics of each run whose heads are described, for a page.

    Raises:
        DataError: a file of heads is damaged.
    """
    tables = [replace(runs_table(runs), title="Heads of each model")]
    details = []
    for run in runs:
        report = read_report(run)
        if report is not None:
            details.append(replace(heads_table(report), title=f"Heads of {run.label}, layer after layer"))
            details.append(replace(metrics_table(report.results), title=f"Metrics of the heads of {run.label}"))
    return Presentation("Attention heads", tables, details=details)
