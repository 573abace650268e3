"""The tables and figures of finished runs of any system."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import RenderableType

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Document
from mkbench.studies.classifiers.table import is_accuracy, write_classifiers
from mkbench.studies.descriptor_zero_shot.table import is_descriptor_zero_shot, write_descriptor_zero_shot
from mkbench.studies.faithfulness.table import write_faithfulness
from mkbench.studies.head_labels.table import is_heads, write_heads
from mkbench.studies.head_segmentation.table import is_segmentation, write_segmentation
from mkbench.studies.mutual_knowledge.study import write_comparison

Writer: TypeAlias = Callable[[Sequence[Run], Path, int], RenderableType]

#: Tells a kind of run, and writes its table; what is of none of these kinds explains images.
KINDS: tuple[tuple[Callable[[Document], bool], Writer], ...] = (
    (is_descriptor_zero_shot, lambda runs, out, width: write_descriptor_zero_shot(runs, out, width=width)),
    (is_heads, lambda runs, out, width: write_heads(runs, out, width=width)),
    (is_segmentation, lambda runs, out, width: write_segmentation(runs, out, width=width)),
    (is_accuracy, lambda runs, out, width: write_classifiers(runs, out, width=width)),
)


def write_report(runs: Sequence[Run], out: Path, *, width: int = 120) -> list[RenderableType]:
    """Write the tables and figures of runs, those of each kind beside each other.

    Args:
        runs: finished runs.
        out: where to write; made where it is missing.
        width: columns of the terminal.

    Returns:
        The tables for the console.

    Raises:
        DataError: a group file is damaged.
    """
    of_kinds = [(write, [run for run in runs if is_kind(run.results)]) for is_kind, write in KINDS]
    tables = [write(of_kind, out, width) for write, of_kind in of_kinds if of_kind]
    explained = [run for run in runs if not any(is_kind(run.results) for is_kind, _ in KINDS)]
    if not explained:
        return tables
    faithfulness = write_faithfulness(explained, out, width=width)
    return [*tables, write_comparison(explained, out, width=width), *([faithfulness] if faithfulness else [])]
