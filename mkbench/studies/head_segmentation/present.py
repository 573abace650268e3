"""Presentation of segmentation by heads."""

from collections.abc import Sequence
from dataclasses import replace

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_segmentation.table import segmentation_table
from mkbench.studies.presentation import Presentation


def present_segmentation(runs: Sequence[Run]) -> Presentation:
    """Return the table of segmentation by heads, for a page."""
    return Presentation("Segmentation by heads", [replace(segmentation_table(runs), title="Segmentation by heads")])
