"""The table of classification by descriptions: a row for each model, for the console, Markdown and CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.table import Table

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import ABSENT, RANDOM_WEIGHTS, Estimate, bound_cells, find_metric
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.mutual_knowledge.table import fixed, markdown_table, show_estimate
from mkbench.systems.records.descriptor_zero_shot import VARIANTS
from mkbench.tables.fitting import block_table, first_fitting

HEADERS = ("model", "split", "by", "top-1 %", "− base", "− descriptors")
_LEFT = ("model", "split", "by")
_SPLITS = {
    "train": "mined and chosen with images that are not evaluated",
    "paper": "mined, chosen and evaluated on the same images, as published, which can flatter what is mined",
}


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


def descriptor_row(run: Run) -> DescriptorRow:
    """Read a run of ``DescriptorZeroShot``."""
    results = run.results
    settings, fallbacks = results["settings"], results["fallbacks"]
    mined = settings["mined_from"] is not None
    label = run.label.removesuffix(f" {RANDOM_WEIGHTS}")
    variant_of = {name: variant for variant, (_, name) in VARIANTS.items()}
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
    )


def notes(rows: Sequence[DescriptorRow]) -> list[str]:
    """Say what the columns hold, by which protocol, and what went otherwise than described.

    >>> notes([])
    ['Top-1 accuracy and differences in points, with 95 % intervals over images (paired).']
    """
    images = {row.images for row in rows}
    of = f" of {images.pop():,} images" if len(images) == 1 else ""
    said = [f"Top-1 accuracy{of} and differences in points, with 95 % intervals over images (paired)."]
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


def _show_difference(difference: Estimate | None, separator: str) -> str:
    if difference is None:
        return ""
    low, high = difference.interval or (difference.value, difference.value)
    return f"{round(difference.value, 1) + 0.0:+.1f}{separator}[{fixed(low, 1)}, {fixed(high, 1)}]"


def _cells(row: DescriptorRow, separator: str = " ") -> list[list[str]]:
    """The printed lines of a run, in the order of ``HEADERS``: one for each way of describing classes."""
    lines = [
        [
            *("", "", variant, show_estimate(accuracy, 1, separator)),
            *(_show_difference(row.differences.get((variant, minus)), separator) for minus in ("base", "descriptors")),
        ]
        for variant, accuracy in row.accuracies.items()
    ]
    lines[0][:2] = row.model, row.split or ABSENT
    return lines


def to_console(rows: Sequence[DescriptorRow], *, width: int = 120) -> Table:
    """Render the rows for a terminal; in a narrow one, intervals stand below their values.

    >>> to_console([]).row_count
    0
    """
    tables = (
        block_table(HEADERS, [_cells(row, separator) for row in rows], left=_LEFT, notes=notes(rows))
        for separator in (" ", "\n")
    )
    return first_fitting(tables, width)


def to_markdown(rows: Sequence[DescriptorRow]) -> str:
    """Render the rows as a Markdown table with its notes.

    >>> print(to_markdown([]).splitlines()[0])
    | model | split | by | top-1 % | − base | − descriptors |
    """
    cells = [line for row in rows for line in _cells(row)]
    return markdown_table(HEADERS, cells, left=_LEFT) + "".join(f"\n{note}\n" for note in notes(rows))


def to_csv(rows: Sequence[DescriptorRow]) -> str:
    """Render the rows for programs: full precision, bounds of intervals in columns of their own, absent values empty.

    >>> to_csv([]).startswith("model,split,decided,images,seen,hurt_classes,base,base_low,base_high")
    True
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    pairs = [(variant, minus) for minus, variant in combinations(VARIANTS, 2)]
    names = [*VARIANTS, *(f"{variant}_minus_{minus}" for variant, minus in pairs)]
    columns = [f"{name}{bound}" for name in names for bound in ("", "_low", "_high")]
    writer.writerow(["model", "split", "decided", "images", "seen", "hurt_classes", *columns])
    for row in rows:
        line: list[Any] = [row.model, row.split, str(row.decided).lower(), row.images, row.seen, row.hurt]
        for estimate in (*map(row.accuracies.get, VARIANTS), *map(row.differences.get, pairs)):
            line += bound_cells(estimate)
        writer.writerow(line)
    return out.getvalue()


def write_descriptor_zero_shot(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Table:
    """Write ``descriptor_zero_shot.csv`` and ``.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``DescriptorZeroShot``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    rows = [descriptor_row(run) for run in runs]
    write_text_atomically(folder / "descriptor_zero_shot.csv", to_csv(rows))
    write_text_atomically(folder / "descriptor_zero_shot.md", to_markdown(rows))
    return to_console(rows, width=width)
