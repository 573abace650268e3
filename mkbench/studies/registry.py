"""Tables and figures of finished runs, by the system that was run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import RenderableType

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.write import write_classifiers
from mkbench.studies.descriptor_zero_shot.write import write_descriptor_zero_shot
from mkbench.studies.faithfulness.write import write_faithfulness
from mkbench.studies.head_labels.write import write_heads
from mkbench.studies.head_segmentation.write import write_segmentation
from mkbench.studies.mutual_knowledge.write import write_comparison
from mkbench.studies.other_systems.write import write_other_systems


class Study(Protocol):
    """Writes the tables and figures of runs of one system; None where there is nothing to show."""

    def __call__(self, runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> RenderableType | None:
        """Write them to a folder, if there is one, and return the table for a console of this width."""


#: Studies of each system, in the order in which their tables are shown.
STUDIES: Mapping[str, Sequence[Study]] = {
    "descriptor_zero_shot": [write_descriptor_zero_shot],
    "head_decomposition": [write_heads],
    "head_segmentation": [write_segmentation],
    "baseline_accuracy": [write_classifiers],
    "mutual_knowledge": [write_comparison, write_faithfulness],
}


def write_report(runs: Sequence[Run], out: Path | None, *, width: int = 120) -> list[RenderableType]:
    """Write the tables and figures of runs, those of one system beside each other.

    Args:
        runs: finished runs; those of systems without a study of their own share one table of all their metrics.
        out: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.

    Returns:
        The tables for the console.

    Raises:
        DataError: a group file is damaged.
    """
    asked = [(study, [run for run in runs if run.system == system]) for system in STUDIES for study in STUDIES[system]]
    asked.append((write_other_systems, [run for run in runs if run.system not in STUDIES]))
    tables = [study(own, out, width=width) for study, own in asked if own]
    return [table for table in tables if table is not None]
