"""Table of all metrics of runs whose systems have no study of their own: a row for each metric of each run."""

from collections.abc import Sequence
from typing import Any

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import RANDOM_WEIGHTS, explainer_label, find_metric
from mkbench.tables import BELOW, BESIDE, NO_INTERVALS, Cell, Column, ResultTable, csv_bounds

_NOTE = "Each metric in its own unit, with its 95 % interval over images; ↑ more is better, ↓ less is better."
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


def metrics_table(runs: Sequence[Run]) -> ResultTable:
    """Declare the table of all metrics of runs.

    Args:
        runs: finished runs of any system.

    >>> [column.title for column in metrics_table([]).shown]
    ['model', 'system', 'metric', 'explainer', 'value', 'n']
    """
    columns = [
        Column("model", _model, text=True),
        Column(None, "model", csv="model"),
        Column("system", "system", text=True, csv="system"),
        Column("metric", lambda row: row["metric"] + _ARROWS[row["higher_is_better"]], text=True),
        Column(None, "metric", csv="metric"),
        Column("explainer", lambda row: row["explainer"] and explainer_label(row["explainer"]), text=True),
        Column(None, "explainer", csv="explainer"),
        Column("value", lambda row: Cell(row["estimate"]), decimals=4, csv=csv_bounds("value")),
        Column("n", "n", csv="n"),
        Column(None, lambda row: row["higher_is_better"], csv="higher_is_better"),
    ]
    return ResultTable(
        columns,
        metric_rows(runs),
        notes=[_NOTE],
        section=lambda row: row["model"],
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )


def _model(row: dict[str, Any]) -> str:
    name: str = row["model"].removesuffix(f" {RANDOM_WEIGHTS}")
    return name + (f" {RANDOM_WEIGHTS}" if row["random_weights"] else "")
