"""Table of all metrics of runs whose systems have no study of their own: a row for each metric of each run."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import ABSENT, RANDOM_WEIGHTS, Estimate, bound_cells, explainer_label, find_metric
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.mutual_knowledge.table import markdown_table, show_estimate
from mkbench.tables.fitting import block_table

HEADERS = ("model", "system", "metric", "explainer", "value", "n")
_LEFT = HEADERS[:4]
_NOTE = "Each metric in its own unit, with its 95 % interval; ↑ more is better, ↓ less is better."
_ARROWS = {True: " ↑", False: " ↓", None: ""}


def metric_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Collect the rows of the table, in the order of the runs and of their metrics.

    Args:
        runs: finished runs of any system.

    Returns:
        Rows with the keys ``model``, ``random_weights``, ``system``, ``metric``, ``explainer`` (None for a metric of
        the model alone), ``estimate`` (None where the run has no finite value), ``n`` and ``higher_is_better`` (None
        where the run does not say).
    """
    return [
        {
            "model": run.label,
            "random_weights": run.results["model"]["random_weights"],
            "system": run.system,
            "metric": metric["name"],
            "explainer": metric["explainer"],
            "estimate": find_metric(run.results, metric["name"], metric["explainer"]),
            "n": metric.get("n"),
            "higher_is_better": metric.get("higher_is_better"),
        }
        for run in runs
        for metric in run.results["metrics"]
    ]


def _cells(row: dict[str, Any]) -> list[str]:
    model = row["model"].removesuffix(f" {RANDOM_WEIGHTS}") + (f" {RANDOM_WEIGHTS}" if row["random_weights"] else "")
    explainer = ABSENT if row["explainer"] is None else explainer_label(row["explainer"])
    estimate: Estimate | None = row["estimate"]
    number = ABSENT if row["n"] is None else str(row["n"])
    metric = row["metric"] + _ARROWS[row["higher_is_better"]]
    return [model, row["system"], metric, explainer, show_estimate(estimate, 4), number]


def write_other_systems(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Table:
    """Write ``metrics.csv`` and ``metrics.md`` of finished runs and return their table for the console.

    Args:
        runs: finished runs of any system.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    rows = metric_rows(runs)
    cells = [_cells(row) for row in rows]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "system", "metric", "explainer", "value", "low", "high", "n", "higher_is_better"])
    for row in rows:
        shared = [row[key] for key in ("model", "system", "metric", "explainer")]
        writer.writerow([*shared, *bound_cells(row["estimate"]), row["n"], row["higher_is_better"]])
    write_text_atomically(folder / "metrics.csv", out.getvalue())
    write_text_atomically(folder / "metrics.md", markdown_table(HEADERS, cells, left=_LEFT) + f"\n{_NOTE}\n")
    blocks = [[line for line, row in zip(cells, rows, strict=True) if row["model"] == run.label] for run in runs]
    return block_table(HEADERS, blocks, left=_LEFT, notes=[_NOTE])
