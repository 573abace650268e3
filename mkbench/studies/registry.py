"""Tables and figures of finished runs, by the system that was run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.console import RenderableType

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.present import present_classifiers
from mkbench.studies.classifiers.write import write_classifiers
from mkbench.studies.descriptor_zero_shot.present import present_descriptor_zero_shot
from mkbench.studies.descriptor_zero_shot.write import write_descriptor_zero_shot
from mkbench.studies.faithfulness.present import (
    present_faithfulness,
    present_interventions,
    present_removal_agreement,
)
from mkbench.studies.faithfulness.write import write_faithfulness
from mkbench.studies.foreground.present import present_foregrounds
from mkbench.studies.head_labels.present import present_heads
from mkbench.studies.head_labels.write import write_heads
from mkbench.studies.head_segmentation.present import present_segmentation
from mkbench.studies.head_segmentation.write import write_segmentation
from mkbench.studies.mutual_knowledge.present import present_classes, present_models, present_pairs
from mkbench.studies.mutual_knowledge.write import write_comparison
from mkbench.studies.other_systems.present import present_other_systems
from mkbench.studies.other_systems.write import write_other_systems
from mkbench.studies.presentation import Presentation


class Writer(Protocol):
    """Writes the tables and figures of runs of one system; None where there is nothing to show."""

    def __call__(self, runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> RenderableType | None:
        """Write them to a folder, if there is one, and return the table for a console of this width."""


class Presenter(Protocol):
    """Returns what a page shows of runs of one system; None where there is nothing to show."""

    def __call__(self, runs: Sequence[Run]) -> Presentation | None:
        """Return tables and plots."""


class Study(NamedTuple):
    """A study of runs of one system.

    Attributes:
        write: its files and its table for the console.
        present: what a page shows; the first is of the numbers that a table of many runs has, and quick.
    """

    write: Writer
    present: Sequence[Presenter]


#: Studies of each system, in the order in which their tables are shown.
STUDIES: Mapping[str, Sequence[Study]] = {
    "descriptor_zero_shot": [Study(write_descriptor_zero_shot, [present_descriptor_zero_shot])],
    "head_decomposition": [Study(write_heads, [present_heads])],
    "head_segmentation": [Study(write_segmentation, [present_segmentation])],
    "baseline_accuracy": [Study(write_classifiers, [present_classifiers])],
    "mutual_knowledge": [
        Study(write_comparison, [present_models, present_pairs, present_classes]),
        Study(
            write_faithfulness,
            [present_faithfulness, present_removal_agreement, present_interventions, present_foregrounds],
        ),
    ],
}
_OTHER_SYSTEMS = Study(write_other_systems, [present_other_systems])


def _asked(runs: Sequence[Run]) -> Iterator[tuple[Study, list[Run]]]:
    """The studies of the systems that were run, each with its runs."""
    for system, studies in STUDIES.items():
        own = [run for run in runs if run.system == system]
        yield from ((study, own) for study in studies if own)
    others = [run for run in runs if run.system not in STUDIES]
    if others:
        yield _OTHER_SYSTEMS, others


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
    tables = [study.write(own, out, width=width) for study, own in _asked(runs)]
    return [table for table in tables if table is not None]


def present(runs: Sequence[Run], *, brief: bool = False) -> list[Presentation]:
    """Return what a page shows of runs, those of one system beside each other.

    Args:
        runs: finished runs, as ``write_report`` takes them.
        brief: only the first of each study.

    Raises:
        DataError: a group file, or a file of heads, is damaged.

    >>> present([])
    []
    """
    most = 1 if brief else None
    shown = [presenter(own) for study, own in _asked(runs) for presenter in study.present[:most]]
    return [presentation for presentation in shown if presentation is not None]
