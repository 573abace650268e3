"""The table of segmentation by heads: three lines for each model, for the console, Markdown and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import ABSENT, RANDOM_WEIGHTS, Estimate, bound_cells, find_metric
from mkbench.runs.run_folder import write_text_atomically
from mkbench.runs.schema import ControlEntry, RunResults
from mkbench.studies.mutual_knowledge.table import markdown_table, show_estimate
from mkbench.systems.records.head_segmentation import METHODS, SCORES
from mkbench.tables.fitting import block_table, first_fitting

HEADERS = ("model", "images", "map", "pixel accuracy ↑", "mean IoU ↑", "AP ↑")
_LEFT = ("model", "map")
_LABELS = {"heads": "all heads", "attention": "raw attention"}


def method_label(method: str, settings: Mapping[str, Any]) -> str:
    """Return a method's name as it is printed.

    Args:
        method: one of ``METHODS``.
        settings: those of the run.

    >>> method_label("random_heads", {"num_heads": 20, "num_random_heads": 10})
    'random 10 of 20'
    """
    if method == "random_heads":
        return f"random {settings['num_random_heads']} of {settings['num_heads']}"
    return _LABELS[method]


def _difference(results: RunResults, metric: str, method: str) -> ControlEntry | None:
    """The comparison of the heads with a control; None for the heads themselves."""
    entries = (entry for entry in results["controls"] if (entry["metric"], entry["control"]) == (metric, method))
    return next(entries, None)


def _cells(run: Run, separator: str | None = " ") -> list[list[str]]:
    """The printed lines of a run; without a separator there are no intervals."""
    results = run.results
    name = run.label.removesuffix(f" {RANDOM_WEIGHTS}")
    lines = []
    for method in METHODS:
        line = ["", "", method_label(method, results["settings"])]
        for metric in SCORES:
            found, difference = find_metric(results, metric, method), _difference(results, metric, method)
            if found is not None and separator is None:
                found = Estimate(found.value)
            beaten = " ✔" if difference is not None and difference["separates"] else ""
            value, bracket, interval = show_estimate(found, 3, separator or " ").partition(f"{separator}[")
            line.append(f"{value}{beaten}{bracket}{interval}")
        lines.append(line)
    random = f" {RANDOM_WEIGHTS}" if results["model"]["random_weights"] else ""
    lines[0][:2] = name + random, str(_number_of_images(results))
    return lines


def _number_of_images(results: RunResults) -> int | str:
    """Images with a mask, over which all metrics are."""
    return next((metric["n"] for metric in results["metrics"] if metric["explainer"] == METHODS[0]), ABSENT)


def notes(runs: Sequence[Run]) -> list[str]:
    """Say what the columns hold, and what went otherwise than described.

    >>> notes([])[0]
    'Maps of the class less the average class, cut at their mean; shares of all pixels, AP averaged over images.'
    """
    said = [
        "Maps of the class less the average class, cut at their mean; shares of all pixels, AP averaged over images.",
        "✔: on the same images all heads do better (95 % interval of the difference); brackets: 95 % over images.",
    ]
    for run in runs:
        settings, fallbacks = run.results["settings"], run.results["fallbacks"]
        if settings["condition_on"] == "predicted":
            said.append(f"{run.label}: maps of the predicted class.")
        if fallbacks["ground_truth"]["no_mask"]:
            said.append(
                f"{run.label}: {fallbacks['ground_truth']['no_mask']} images without a visible object are left out."
            )
        flat = [f"{method_label(m, settings)} {n}" for m in METHODS if (n := fallbacks[m]["no_contrast"])]
        if flat:
            said.append(f"{run.label}: images with a map without contrast, so without an object: {', '.join(flat)}.")
    return said


def to_console(runs: Sequence[Run], *, width: int = 120) -> Table:
    """Render runs for a terminal; in a narrow one, intervals stand below their values or are left out.

    >>> to_console([]).row_count
    0
    """
    tables = (
        block_table(HEADERS, [_cells(run, separator) for run in runs], left=_LEFT, notes=notes(runs))
        for separator in (" ", "\n", None)
    )
    return first_fitting(tables, width)


def to_markdown(runs: Sequence[Run]) -> str:
    """Render runs as a Markdown table with its notes.

    >>> print(to_markdown([]).splitlines()[0])
    | model | images | map | pixel accuracy ↑ | mean IoU ↑ | AP ↑ |
    """
    cells = [line for run in runs for line in _cells(run)]
    return markdown_table(HEADERS, cells, left=_LEFT) + "".join(f"\n{note}\n" for note in notes(runs))


def to_csv(runs: Sequence[Run]) -> str:
    """Render runs for programs: full precision, bounds and what the heads have more in columns of their own.

    >>> to_csv([]).startswith("model,random_weights,images,map,pixel_accuracy,pixel_accuracy_low")
    True
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    kinds = ("", "_low", "_high", "_heads_more", "_heads_more_low", "_heads_more_high")
    writer.writerow(
        ["model", "random_weights", "images", "map", *(f"{name}{kind}" for name in SCORES for kind in kinds)]
    )
    for run in runs:
        random = str(run.results["model"]["random_weights"]).lower()
        for method in METHODS:
            line: list[Any] = [run.label, random, _number_of_images(run.results), method]
            for metric in SCORES:
                found, more = find_metric(run.results, metric, method), _difference(run.results, metric, method)
                line += bound_cells(found)
                line += [None] * 3 if more is None else [more["difference"], *more["interval"]]
            writer.writerow(line)
    return out.getvalue()


def write_segmentation(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Table:
    """Write ``segmentation.csv`` and ``segmentation.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``HeadSegmentation``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    write_text_atomically(folder / "segmentation.csv", to_csv(runs))
    write_text_atomically(folder / "segmentation.md", to_markdown(runs))
    return to_console(runs, width=width)
