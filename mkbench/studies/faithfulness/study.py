"""Rows of the faithfulness table: removal curves and agreement with ground truth."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mkbench.runs.results import Estimate, explainer_names, find_metric, model_label
from mkbench.runs.schema import RunResults
from mkbench.tables import show_estimate

Row = Mapping[str, Any]


class ShownMetric(NamedTuple):
    """A metric with a column in print.

    Attributes:
        heading: with the better direction, if one is better.
        metric: in ``results.json``.
        decimals: of the value.
        scale: factor of the printed value; 100 for percent.
        mean: the same on the scale that does not grow with the number of parts. An explainer with fewer parts has lower
            sums, whatever they are; so the interval of the difference from a control must be clear of 0 on both scales.
        of_every_run: every run has it, so that it alone makes no row.
    """

    heading: str
    metric: str
    decimals: int
    scale: float = 1.0
    mean: str | None = None
    of_every_run: bool = False

    def controls_missed(self, row: Row) -> list[str]:
        """Return the controls whose difference has an interval that holds 0, in the order of ``MARKS``."""
        missed = {control for metric in (self.metric, self.mean) for control in row["not_separated"].get(metric, ())}
        return [control for control in MARKS if control in missed]


COLUMNS = (
    ShownMetric("deletion ↓", "deletion_sum", 2, mean="deletion"),
    ShownMetric("insertion ↑", "insertion_sum", 2, mean="insertion"),
    ShownMetric("AccDrop ↓", "accuracy_drop_sum", 2, mean="accuracy_drop"),
    ShownMetric("AccInc ↑", "accuracy_increase_sum", 2, mean="accuracy_increase"),
    ShownMetric("descriptor precision ↑", "descriptor_precision", 3),
    ShownMetric("descriptor recall ↑", "descriptor_recall", 3),
    ShownMetric("part IoU ↑", "part_iou", 3),
    ShownMetric("calibration ↑", "importance_calibration", 2),
    ShownMetric("CorLoc % ↑", "corloc", 1, scale=100),
    ShownMetric("kept-region top-1 % ↑", "kept_region_top1", 1, scale=100),
    ShownMetric("concept entropy", "concept_entropy", 2, of_every_run=True),
)
#: Metrics of the CSV: both scales of the removal curves, and the bounds and baselines of ground truth.
CSV_METRICS = (
    *(
        f"{stem}{scale}"
        for stem in ("deletion", "insertion", "accuracy_drop", "accuracy_increase")
        for scale in ("", "_sum")
    ),
    *("descriptor_precision", "descriptor_precision_chance", "descriptor_recall", "descriptor_recall_bound"),
    *("part_iou", "importance_calibration", "corloc", "corloc_whole_image", "kept_region_top1"),
    "concept_entropy",
)
#: Control -> mark of a metric where the interval of the difference holds 0, and what the control is.
MARKS = {
    "reversed": ("†", "the same parts in reversed order"),
    "random": ("‡", "parts that lie anywhere"),
}
_REMOVAL = (
    "Deletion and insertion: area under the class score, 2.5 cos(image, class), while parts are blurred one by one or "
    "brought back; AccDrop and AccInc: the same of top-1 correctness. Sums over the steps, which grow with the number "
    "of parts; the CSV has the means too."
)
_RECALL = "No number of concepts allows a recall above descriptor_recall_bound in the CSV."
_FOREGROUND = "CorLoc and kept-region top-1 are of the foreground, whatever the parts."
_ENTROPY = "Concept entropy: of the descriptors over an image's parts, in nats; higher where parts are told apart."
_INTERVALS = "95 % intervals over images."
_MOST_NAMED = 4  # runs of the same value
#: Metric that stands below the table -> what it is.
_FOR_NOTHING = {
    "descriptor_precision_chance": "Descriptor precision of descriptors drawn at random",
    "corloc_whole_image": "CorLoc of the whole image, as a share",
}


def faithfulness_rows(documents: Sequence[RunResults]) -> list[dict[str, Any]]:
    """Collect the rows of the table: of each explainer of a run with scorers of it.

    Args:
        documents: ``results.json`` of each run, parsed.

    Returns:
        Rows with the keys ``model``, ``random_weights``, ``explainer``, ``estimates`` (metric -> ``Estimate``, of those
        of ``CSV_METRICS`` that the run has) and ``not_separated`` (metric -> controls that
        are no worse: the interval of the difference holds 0).

    Example:
        >>> results = {
        ...     "model": {"name": "vit", "random_weights": False},
        ...     "metrics": [{"name": "deletion_sum", "explainer": "pca", "value": 2.4}],
        ...     "controls": [
        ...         {"metric": "deletion_sum", "explainer": "pca", "control": "reversed", "separates": False},
        ...     ],
        ... }
        >>> row, = faithfulness_rows([results])
        >>> row["estimates"], row["not_separated"]
        ({'deletion_sum': Estimate(value=2.4, interval=None)}, {'deletion_sum': ['reversed']})
    """
    printed = {column.metric for column in COLUMNS if not column.of_every_run}
    rows = [_row(results, explainer) for results in documents for explainer in explainer_names(results)]
    return [row for row in rows if printed & row["estimates"].keys()]


def _row(results: RunResults, explainer: str) -> dict[str, Any]:
    estimates: dict[str, Estimate] = {}
    for metric in CSV_METRICS:
        estimate = find_metric(results, metric, explainer) or find_metric(results, metric)
        if estimate is not None:
            estimates[metric] = estimate
    not_separated: dict[str, list[str]] = {}
    for entry in results.get("controls", []):
        if entry["explainer"] == explainer and not entry["separates"] and entry["control"] in MARKS:
            not_separated.setdefault(entry["metric"], []).append(entry["control"])
    return {
        "model": model_label(results),
        "random_weights": bool(results["model"]["random_weights"]),
        "explainer": explainer,
        "estimates": estimates,
        "not_separated": not_separated,
    }


def shown_columns(rows: Sequence[Row]) -> list[ShownMetric]:
    """Return the columns of which at least one row has a value.

    >>> [column.heading for column in shown_columns([{"estimates": {"part_iou": Estimate(0.1)}}])]
    ['part IoU ↑']
    """
    return [column for column in COLUMNS if any(column.metric in row["estimates"] for row in rows)]


def notes(rows: Sequence[Row]) -> list[str]:
    """Say what the columns and marks mean, as far as there are any, and what is to be had without any explanation.

    >>> row = {"model": "vit", "estimates": {"part_iou": Estimate(0.1)}, "not_separated": {"part_iou": ["random"]}}
    >>> for note in notes([row]):
    ...     print(note.partition(": ")[0])
    95 % intervals over images.
    ‡ beside parts that lie anywhere
    """
    columns = shown_columns(rows)
    there = {column.metric for column in columns}
    about = {_REMOVAL: "deletion_sum", _RECALL: "descriptor_recall", _FOREGROUND: "corloc", _ENTROPY: "concept_entropy"}
    lines = [" ".join([*(text for text, metric in about.items() if metric in there), _INTERVALS])]
    marked = {control for row in rows for column in columns for control in column.controls_missed(row)}
    lines += [
        f"{mark} beside {what}: the 95 % interval of the difference, of sums or of means, holds 0 or lies on the worse "
        "side."
        for control, (mark, what) in MARKS.items()
        if control in marked
    ]
    return [*lines, *(f"{what}: {values}." for metric, what in _FOR_NOTHING.items() if (values := _each(rows, metric)))]


def _each(rows: Sequence[Row], metric: str) -> str:
    """Name the runs that have each value of a metric; variants of one protocol mostly share it."""
    runs: dict[str, dict[str, None]] = {}
    for row in rows:
        if metric in row["estimates"]:
            runs.setdefault(show_estimate(row["estimates"][metric], 3), {})[row["model"]] = None
    if len(runs) == 1 and len(next(iter(runs.values()))) > _MOST_NAMED:
        return f"{next(iter(runs))} (all runs)"
    return ", ".join(f"{value} ({', '.join(models)})" for value, models in runs.items())
