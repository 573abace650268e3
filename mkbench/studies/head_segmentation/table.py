"""Table of segmentation by heads: three lines for each model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import RANDOM_WEIGHTS, Estimate, find_metric
from mkbench.runs.schema import ControlEntry, RunResults
from mkbench.studies.metric_columns import metric_column, own_columns, own_metrics
from mkbench.systems.records.head_segmentation import METHODS, SCORES
from mkbench.tables import (
    BELOW,
    BESIDE,
    NO_INTERVALS,
    Cell,
    Column,
    ResultTable,
    csv_bounds,
)

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


def _number_of_images(results: RunResults) -> int | None:
    """Images with a mask, over which all metrics are; None without any."""
    return next((metric["n"] for metric in results["metrics"] if metric["explainer"] == METHODS[0]), None)


def notes(runs: Sequence[Run]) -> list[str]:
    """Say what the columns hold, and what went otherwise than described.

    >>> notes([])[0]
    'Maps of the class less the average class, cut at their mean; shares of all pixels, mAP averaged over images.'
    """
    said = [
        "Maps of the class less the average class, cut at their mean; shares of all pixels, mAP averaged over images.",
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


@dataclass(frozen=True)
class _Line:
    """The metrics of one kind of map in a run."""

    run: Run
    method: str

    @property
    def model(self) -> str:
        results = self.run.results
        name = self.run.label.removesuffix(f" {RANDOM_WEIGHTS}")
        return f"{name} {RANDOM_WEIGHTS}" if results["model"]["random_weights"] else name

    def score(self, metric: str) -> Cell:
        """The metric, with a mark where all heads do better."""
        difference = _difference(self.run.results, metric, self.method)
        beaten = difference is not None and difference["separates"]
        return Cell(find_metric(self.run.results, metric, self.method), marks=" ✔" if beaten else "")

    def heads_more(self, metric: str) -> Estimate | None:
        """Difference of all heads; None for the heads themselves."""
        more = _difference(self.run.results, metric, self.method)
        if more is None:
            return None
        low, high = more["interval"]
        return Estimate(more["difference"], (low, high))


def _score_columns(metric: str) -> list[Column]:
    return [
        metric_column(metric, lambda line: line.score(metric), whole=True, csv=csv_bounds(metric)),
        Column(None, lambda line: line.heads_more(metric), csv=csv_bounds(f"{metric}_heads_more")),
    ]


def segmentation_table(runs: Sequence[Run]) -> ResultTable:
    """Declare the table; in a narrow terminal, intervals stand below their values or are left out.

    Args:
        runs: runs of ``HeadSegmentation``.

    >>> [column.title for column in segmentation_table([]).shown]
    ['model', 'images', 'map', 'pixel accuracy ↑', 'mIoU ↑', 'mAP ↑']
    """
    columns = [
        Column(None, lambda line: line.run.label, csv="model"),
        Column(None, lambda line: bool(line.run.results["model"]["random_weights"]), csv="random_weights"),
        Column("model", lambda line: line.model, text=True, once=True),
        Column("images", lambda line: _number_of_images(line.run.results), csv="images", whole=True, once=True),
        Column("map", lambda line: method_label(line.method, line.run.results["settings"]), text=True),
        Column(None, lambda line: line.method, csv="map"),
    ]
    for metric in SCORES:
        columns += _score_columns(metric)
    lines = [_Line(run, method) for run in runs for method in METHODS]
    columns += own_columns(lines, lambda line: own_metrics(line.run.results, line.method))
    return ResultTable(
        columns,
        lines,
        notes=notes(runs),
        section=lambda line: id(line.run),
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )
