"""Table of zero-shot classification by descriptors: for print a line for each way, for programs a row for each run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from operator import attrgetter
from typing import NamedTuple

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import RANDOM_WEIGHTS, Estimate, find_metric
from mkbench.studies.metric_columns import OwnMetric, metric_column, own_columns, own_metrics
from mkbench.systems.records.descriptor_zero_shot import COMPARED, VARIANTS
from mkbench.tables import BELOW, BESIDE, Column, ResultTable, csv_bounds

_SPLITS = {
    "train": "mined and chosen with images that are not evaluated",
    "paper": "mined, chosen and evaluated on the same images, as published, which can flatter what is mined",
}
_CONTROLS = (
    "Controls: shuffled, each class with descriptors of other classes; random, as many words at random. Descriptors "
    "that are no better than these say nothing of the classes."
)


@dataclass(frozen=True)
class DescriptorRow:
    """One run of the table.

    Attributes:
        model: the run's label.
        split: ``train`` or ``paper``; empty where nothing was mined.
        decided: whether held-out images decided which classes use what was mined for them.
        images: evaluated images.
        seen: how many of them were mined from or held out before.
        accuracies: variant -> top-1 in percent.
        differences: (variant, one before it) -> difference in points.
        hurt: classes that keep to their own descriptors; None where nothing was mined.
        no_descriptors: classes that the concept bank lacks.
        truncated: texts that were cut short.
        own: a user's own metrics of the model, by name.
    """

    model: str
    split: str
    decided: bool
    images: int
    seen: int
    accuracies: dict[str, Estimate]
    differences: dict[tuple[str, str], Estimate]
    hurt: int | None
    no_descriptors: int
    truncated: int
    own: dict[str, OwnMetric]


def descriptor_row(run: Run) -> DescriptorRow:
    """Read a run of ``DescriptorZeroShot``."""
    results = run.results
    settings, fallbacks = results["settings"], results["fallbacks"]
    mined = settings["mined_from"] is not None
    label = run.label.removesuffix(f" {RANDOM_WEIGHTS}")
    variant_of = {names.top1: variant for variant, names in VARIANTS.items()}
    accuracies = {variant: find_metric(results, name) for name, variant in variant_of.items()}
    differences = {}
    for entry in results["differences"]:
        low, high = entry["interval"]
        difference = Estimate(entry["value"], (low, high)).scaled(100)
        differences[variant_of[entry["metric"]], variant_of[entry["minus"]]] = difference
    return DescriptorRow(
        model=f"{label} {RANDOM_WEIGHTS}" if results["model"]["random_weights"] else label,
        split=settings["split"] if mined else "",
        decided=settings["held_out_from"] is not None,
        images=results["data"]["images"],
        seen=max(results["mining"]["seen"].values()) if mined else 0,
        accuracies={variant: found.scaled(100) for variant, found in accuracies.items() if found is not None},
        differences=differences,
        hurt=fallbacks["descriptions"]["hurt"] if mined else None,
        no_descriptors=fallbacks["descriptions"]["no_descriptors"],
        truncated=fallbacks["text"]["truncated"],
        own=own_metrics(results),
    )


def notes(rows: Sequence[DescriptorRow]) -> list[str]:
    """Say what the columns hold, by which protocol, and what went otherwise than described.

    >>> notes([])
    ['Top-1 accuracy (Wilson) and differences in points (paired bootstrap), with 95 % intervals over images.']
    """
    images = {row.images for row in rows}
    of = f" of {images.pop():,} images" if len(images) == 1 else ""
    said = [
        f"Top-1 accuracy{of} (Wilson) and differences in points (paired bootstrap), with 95 % intervals over images."
    ]
    if any("shuffled" in row.accuracies for row in rows):
        said.append(_CONTROLS)
    for split in dict.fromkeys(row.split for row in rows if row.split):
        said.append(f"Split {split}: {_SPLITS[split]}.")
        hurt = [f"{row.model} {row.hurt}" for row in rows if row.split == split and row.decided]
        where = "held-out" if split == "train" else "the evaluated"
        if hurt:
            said.append(f"Classes without mined descriptors, as they hurt on {where} images: {', '.join(hurt)}.")
    for row in rows:
        said += [f"{row.model}: {remark}." for remark in _remarks(row)]
    return said


def _remarks(row: DescriptorRow) -> Iterator[str]:
    if row.split and not row.decided:
        yield "every class uses what was mined for it"
    if row.split == "train" and row.seen:
        yield f"{row.seen} of {row.images} images were mined from, so that this is no evaluation"
    if row.no_descriptors:
        yield f"{row.no_descriptors} classes have no descriptors and are compared by their prompts"
    if row.truncated:
        yield f"{row.truncated} texts were cut short by the text encoder"


class _Line(NamedTuple):
    """One way of describing classes in a run."""

    row: DescriptorRow
    variant: str


def _difference_column(minus: str) -> Column:
    def difference(line: _Line) -> Estimate | None:
        return line.row.differences.get((line.variant, minus))

    return Column(
        f"− {minus}", difference, decimals=CATALOGUE["top1"].display.decimals, signed=True, whole=True, absent=""
    )


def descriptor_table(rows: Sequence[DescriptorRow]) -> ResultTable:
    """Declare the table for print: a line for each way of describing classes.

    In a narrow terminal, intervals stand below their values.

    Args:
        rows: from ``descriptor_row``.

    >>> [column.title for column in descriptor_table([]).shown]
    ['model', 'split', 'by', 'top-1 % ↑', '− base', '− descriptors']
    """
    columns = [
        Column("model", lambda line: line.row.model, text=True, once=True),
        Column("split", lambda line: line.row.split or None, text=True, once=True),
        Column("by", lambda line: line.variant, text=True),
        metric_column("top1", lambda line: line.row.accuracies[line.variant], scale=1, whole=True),
        *map(_difference_column, ("base", "descriptors")),
    ]
    lines = [_Line(row, variant) for row in rows for variant in row.accuracies]
    # A user's own metrics are of the model, however its classes are described.
    columns += [replace(column, once=True) for column in own_columns(lines, lambda line: line.row.own)]
    return ResultTable(
        columns,
        lines,
        notes=notes(rows),
        section=lambda line: id(line.row),
        layouts=(BESIDE, BELOW),
    )


def _accuracy_csv(variant: str) -> Column:
    return Column(None, lambda row: row.accuracies.get(variant), csv=csv_bounds(variant))


def _difference_csv(variant: str, minus: str) -> Column:
    return Column(None, lambda row: row.differences.get((variant, minus)), csv=csv_bounds(f"{variant}_minus_{minus}"))


def descriptor_run_table(rows: Sequence[DescriptorRow]) -> ResultTable:
    """Declare the table for programs: a row for each run.

    Args:
        rows: from ``descriptor_row``.

    >>> [column.csv for column in descriptor_run_table([]).columns][:7]
    ['model', 'split', 'decided', 'images', 'seen', 'hurt_classes', ('base', 'base_low', 'base_high')]
    """
    names = ("model", "split", "decided", "images", "seen")
    columns = [
        *(Column(None, attrgetter(name), csv=name) for name in names),
        Column(None, attrgetter("hurt"), csv="hurt_classes"),
        *map(_accuracy_csv, VARIANTS),
        *starmap(_difference_csv, COMPARED),
        *own_columns(rows, lambda row: row.own),
    ]
    return ResultTable(columns, rows)
