"""Table of trained classifiers: a row for each of a model."""

from collections.abc import Sequence
from typing import Any

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, explainer_label, find_metric
from mkbench.runs.schema import RunResults
from mkbench.studies.metric_columns import metric_column, own_columns, own_metrics
from mkbench.studies.mutual_knowledge.table import CSV_MODEL, CSV_RANDOM_WEIGHTS, MODEL
from mkbench.tables import BELOW, BESIDE, Column, ResultTable, csv_bounds

_ZERO_SHOT = "zero-shot"


def classifier_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Collect the rows of the table: of each run the zero-shot classifier, then its heads in their order.

    Args:
        runs: runs of ``BaselineAccuracy``.

    Returns:
        Rows with the keys ``model``, ``random_weights``, ``classifier``, ``top1``, ``top5`` and ``difference``
        (``Estimate`` in percent and points; ``difference`` is None of zero-shot and of the first head), and ``own``
        (``OwnMetric`` by name).
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
                    "own": own_metrics(run.results, head),
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
    'Shares of the images; 95 % intervals over images (Wilson).'
    """
    images = {run.results["data"]["images"] for run in runs}
    of = f"{images.pop():,}" if len(images) == 1 else "the"
    firsts = {next(iter(run.results["settings"]["heads"])) for run in runs}
    first = f" First: {explainer_label(firsts.pop())}; differences are paired." if len(firsts) == 1 else ""
    return f"Shares of {of} images; 95 % intervals over images (Wilson).{first}"


def classifiers_table(rows: Sequence[dict[str, Any]], *, caption: str = "") -> ResultTable:
    """Declare the table; in a narrow terminal, intervals stand below their values.

    Args:
        rows: from ``classifier_rows``.
        caption: from ``note``.

    >>> [column.title for column in classifiers_table([]).shown]
    ['model', 'classifier', 'top-1 % ↑', 'top-5 % ↑', 'top-1 − first']
    """
    columns = [
        *(MODEL, CSV_MODEL, CSV_RANDOM_WEIGHTS),
        Column("classifier", lambda row: explainer_label(row["classifier"]), text=True),
        Column(None, "classifier", csv="classifier"),
        metric_column("top1", "top1", scale=1, csv=csv_bounds("top1_percent")),
        metric_column("top5", "top5", scale=1, csv=csv_bounds("top5_percent")),
        Column("top-1 − first", "difference", decimals=1, csv=csv_bounds("top1_less_first")),
        *own_columns(rows, lambda row: row["own"]),
    ]
    return ResultTable(columns, rows, notes=[caption], section=MODEL.cell, layouts=(BESIDE, BELOW))
