"""Presentation of trained classifiers."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.table import classifier_rows, classifiers_table, note
from mkbench.studies.presentation import Presentation


def present_classifiers(runs: Sequence[Run]) -> Presentation:
    """Return the table of trained classifiers, for a page."""
    table = classifiers_table(classifier_rows(runs), caption=note(runs))
    return Presentation("Classifiers", [replace(table, title="Zero-shot and trained classifiers")])
