"""Tables of labelled heads: the metrics of a run, its heads one by one, and several runs side by side."""

from collections.abc import Collection, Sequence

from rich.console import Group
from rich.text import Text

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import RANDOM_WEIGHTS, find_metric, model_label
from mkbench.runs.schema import MetricResult, RunResults
from mkbench.studies.head_labels.scores import NUM_TEXTS, SHUFFLED, count_fits
from mkbench.studies.head_labels.study import HeadReport
from mkbench.studies.metric_columns import metric_column, own_columns, own_metrics
from mkbench.tables import (
    BELOW,
    BESIDE,
    NO_INTERVALS,
    Cell,
    Column,
    ResultTable,
    csv_bounds,
    to_console,
)

#: Metrics with a column in the table of runs.
COLUMNS = (
    *("top1", "top1_mean_ablated", "top1_reconstructed"),
    *("entanglement", "association", "concept_consistency"),
)
_NOTE = (
    "heads alone: top-1 with all but the heads of the last layers replaced by its mean; their texts alone: the same, "
    "with only what a head's texts keep of it; CCS: texts out of five that fit a head's label; brackets: 95 %."
)
_PERMUTED = "permuted labels: the same labels shuffled over the heads; ✔ higher than that."
#: Metrics of which the table of one run says what they are.
_EXPLAINED = ("top1_mean_ablated", "top1_reconstructed", "concept_consistency")


def metrics_table(results: RunResults, names: Collection[str] | None = None) -> ResultTable:
    """Declare the metrics of a run, each with its interval, its value under permuted labels, and its images or heads.

    Args:
        results: of the run.
        names: of the metrics; None: all.

    >>> metric = {"name": "top1", "explainer": None, "value": 0.5, "interval": [0.4, 0.6], "n": 9}
    >>> len(metrics_table({"metrics": [metric]}).rows)
    1
    """
    above = {control["metric"] for control in results.get("controls", []) if control["separates"]}

    def permuted(metric: MetricResult) -> Cell:
        shuffled = find_metric(results, f"{metric['name']}_{SHUFFLED}")
        return Cell(shuffled, remark="✔" if shuffled is not None and metric["name"] in above else "")

    columns = [
        Column("metric", "name", text=True),
        Column("value", lambda metric: find_metric(results, metric["name"]), decimals=3),
        Column("permuted labels", permuted, decimals=3, absent=""),
        Column("n", "n"),
    ]
    rows = [
        metric
        for metric in results["metrics"]
        if not metric["name"].endswith(f"_{SHUFFLED}") and (names is None or metric["name"] in names)
    ]
    explained = [f"{row['name']}: {CATALOGUE[row['name']].meaning}." for row in rows if row["name"] in _EXPLAINED]
    return ResultTable(columns, rows, notes=[*explained, _PERMUTED], look="airy")


def heads_table(report: HeadReport) -> ResultTable:
    """Declare the heads of a run, layer after layer: label, how many of five texts fit it, and these texts."""
    columns = [
        Column("layer", lambda row: row[0].texts.layer),
        Column("head", lambda row: row[0].texts.head),
        Column("label", lambda row: row[0].label.label or None, text=True),
        Column("CCS", lambda row: count_fits(row[0].judgement.fits)),
        Column("explained", lambda row: row[1], decimals=0, scale=100, unit="%"),
        Column(f"first {NUM_TEXTS} texts", lambda row: "; ".join(row[0].texts.texts), text=True),
    ]
    rows = list(zip(report.document.heads, report.explained, strict=True))
    return ResultTable(columns, rows, section=lambda row: row[0].texts.layer, look="airy")


def show_report(report: HeadReport) -> Group:
    """Render what the heads of a run say, for the console."""
    title = Text(f"Heads of {_label(report.results)}", style="bold")
    return Group(title, to_console(heads_table(report)), to_console(metrics_table(report.results)))


def _label(results: RunResults) -> str:
    label = model_label(results)
    return f"{label} {RANDOM_WEIGHTS}" if results["model"]["random_weights"] else label


def _number_of_heads(run: Run) -> int | None:
    if find_metric(run.results, "entanglement") is None:
        return None
    return next(int(metric["n"]) for metric in run.results["metrics"] if metric["name"] == "entanglement")


def _metric_column(name: str) -> Column:
    return metric_column(name, lambda run: find_metric(run.results, name), csv=csv_bounds(name))


def runs_table(runs: Sequence[Run]) -> ResultTable:
    """Declare runs side by side; in a narrow terminal, intervals stand below their values or are left out.

    Args:
        runs: runs of ``HeadDecomposition``.

    >>> [column.title for column in runs_table([]).shown][:4]
    ['model', 'images', 'heads', 'top-1 % ↑']
    """
    columns = [
        Column("model", lambda run: _label(run.labelled()), text=True),
        Column(None, lambda run: run.label, csv="model"),
        Column("images", lambda run: run.results["data"]["images"], csv="images"),
        Column("heads", _number_of_heads),
        *map(_metric_column, COLUMNS),
        *own_columns(runs, lambda run: own_metrics(run.results)),
    ]
    return ResultTable(columns, runs, notes=_notes(runs), layouts=(BESIDE, BELOW, NO_INTERVALS))


def _notes(runs: Sequence[Run]) -> list[str]:
    missing = ", ".join(run.label for run in runs if find_metric(run.results, "entanglement") is None)
    return [_NOTE, *([f"Not described yet: {missing}; `mkbench heads` does it."] if missing else [])]
