"""Presentation of faithfulness."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.study import faithfulness_rows
from mkbench.studies.faithfulness.table import faithfulness_table
from mkbench.studies.presentation import Presentation


def present_faithfulness(runs: Sequence[Run]) -> Presentation | None:
    """Return the table of faithfulness, for a page; None if no run measured any."""
    rows = faithfulness_rows([run.labelled() for run in runs])
    table = replace(faithfulness_table(rows), title="Removal curves and agreement with ground truth")
    return Presentation("Faithfulness", [table]) if rows else None
