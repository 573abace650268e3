"""The table of trained classifiers: a row for each of a model, for the console, Markdown and CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, bound_cells, explainer_label, find_metric
from mkbench.runs.run_folder import write_text_atomically
from mkbench.runs.schema import RunResults
from mkbench.studies.mutual_knowledge.table import markdown_table, model_cell, show_estimate
from mkbench.tables.fitting import first_fitting

HEADERS = ("model", "classifier", "top-1 % ↑", "top-5 % ↑", "top-1 − first")
_LEFT = ("model", "classifier")
_STEM = "classifiers"  # of the files
_ZERO_SHOT = "zero-shot"


def classifier_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Collect the rows of the table: of each run the zero-shot classifier, then its heads in their order.

    Args:
        runs: runs of ``BaselineAccuracy``.

    Returns:
        Rows with the keys ``model``, ``random_weights``, ``classifier``, ``top1``, ``top5`` and ``difference``
        (``Estimate`` in percent and points; ``difference`` is None of zero-shot and of the first head).
    """
    rows = []
    for run in runs:
        for head in (None, *run.results["settings"]["heads"]):
            found = {metric: find_metric(run.results, metric, head) for metric in ("top1", "top5")}
            rows.append(
                {
                    "model": run.label,
                    "random_weights": bool(run.results["model"]["random_weights"]),
                    "classifier": head or _ZERO_SHOT,
                    **{metric: estimate and estimate.scaled(100) for metric, estimate in found.items()},
                    "difference": _difference(run.results, head),
                }
            )
    return rows


def _difference(results: RunResults, head: str | None) -> Estimate | None:
    for entry in results["differences"]:
        if entry["explainer"] == head:
            low, high = entry["interval"]
            return Estimate(entry["value"], (low, high)).scaled(100)
    return None


def note(runs: Sequence[Run]) -> str:
    """Say what the columns hold.

    >>> note([])
    'Shares of the images; 95 % intervals over images.'
    """
    images = {run.results["data"]["images"] for run in runs}
    of = f"{images.pop():,}" if len(images) == 1 else "the"
    firsts = {next(iter(run.results["settings"]["heads"])) for run in runs}
    first = f" First: {explainer_label(firsts.pop())}; differences are paired." if len(firsts) == 1 else ""
    return f"Shares of {of} images; 95 % intervals over images.{first}"


def _cells(rows: Sequence[dict[str, Any]], separator: str = " ") -> list[list[str]]:
    return [
        [model_cell(row, separator), explainer_label(row["classifier"])]
        + [show_estimate(row[key], 1, separator) for key in ("top1", "top5", "difference")]
        for row in rows
    ]


def classifiers_console(rows: Sequence[dict[str, Any]], *, caption: str = "", width: int = 120) -> Table:
    """Render the rows for a terminal; in a narrow one, intervals stand below their values.

    >>> classifiers_console([]).row_count
    0
    """
    return first_fitting((_console_table(rows, caption, separator) for separator in (" ", "\n")), width)


def _console_table(rows: Sequence[dict[str, Any]], caption: str, separator: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, caption=Text(caption), caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    for header in HEADERS:
        table.add_column(Text(header), justify="left" if header in _LEFT else "right", overflow="fold")
    cells = _cells(rows, separator)
    for index, row in enumerate(cells):
        table.add_row(*map(Text, row), end_section=index + 1 == len(cells) or cells[index + 1][0] != row[0])
    return table


def classifiers_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Render the rows for programs: full precision, bounds of intervals in columns of their own, absent values empty.

    >>> classifiers_csv([]).startswith("model,random_weights,classifier,top1_percent,top1_percent_low")
    True
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = {"top1": "top1_percent", "top5": "top5_percent", "difference": "top1_less_first"}
    bounds = [f"{name}{bound}" for name in names.values() for bound in ("", "_low", "_high")]
    writer.writerow(["model", "random_weights", "classifier", *bounds])
    for row in rows:
        line = [row["model"], str(row["random_weights"]).lower(), row["classifier"]]
        for key in names:
            estimate: Estimate | None = row[key]
            line += bound_cells(estimate)
        writer.writerow(line)
    return out.getvalue()


def write_classifiers(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Table:
    """Write ``classifiers.csv`` and ``classifiers.md`` of finished runs and return their table for the console.

    Args:
        runs: runs of ``BaselineAccuracy``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    rows = classifier_rows(runs)
    markdown = markdown_table(HEADERS, _cells(rows), left=_LEFT)
    write_text_atomically(folder / f"{_STEM}.csv", classifiers_csv(rows))
    write_text_atomically(folder / f"{_STEM}.md", f"{markdown}\n{note(runs)}\n")
    return classifiers_console(rows, caption=note(runs), width=width)
