"""Presentation of faithfulness."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.figure import compares_families, faithfulness_figure
from mkbench.studies.faithfulness.intervention_table import factors_table, interventions_table
from mkbench.studies.faithfulness.removal_agreement import removal_agreements
from mkbench.studies.faithfulness.removal_agreement_table import removal_agreement_table
from mkbench.studies.faithfulness.study import faithfulness_rows
from mkbench.studies.faithfulness.table import faithfulness_table
from mkbench.studies.presentation import Plot, Presentation

_CAPTION = "Explainers by criteria, with 95 % intervals over images; hollow: no better than a control."


def present_faithfulness(runs: Sequence[Run]) -> Presentation | None:
    """Return the table of faithfulness, and the figure where there is one, for a page; None if no run measured any."""
    rows = faithfulness_rows([run.labelled() for run in runs], [run.environment for run in runs])
    table = replace(faithfulness_table(rows), title="Removal curves and agreement with ground truth")
    plots = [Plot(_CAPTION, partial(faithfulness_figure, rows))] if compares_families(rows) else []
    return Presentation("Faithfulness", [table], plots) if rows else None


def present_interventions(runs: Sequence[Run]) -> Presentation | None:
    """Return the tables of images in which one thing is changed for a page; None if no run has such images."""
    rows = [row for row in faithfulness_rows([run.labelled() for run in runs]) if "intervention_j" in row["estimates"]]
    return Presentation("Interventions", [interventions_table(rows), factors_table(rows)]) if rows else None


def present_removal_agreement(runs: Sequence[Run]) -> Presentation | None:
    """Return the table of blurred against exact removal for a page; None if no run has both.

    Raises:
        DataError: a group file is damaged.
    """
    agreements = removal_agreements(runs)
    return Presentation("Blur and exact removal", [removal_agreement_table(agreements)]) if agreements else None
