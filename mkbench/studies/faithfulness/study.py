"""Rows of the faithfulness table: removal curves, agreement with ground truth and stability."""

from collections.abc import Mapping, Sequence
from typing import Any

from mkbench.concepts.controls import CONTROLS, PLANTED
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.functional.intervention import FACTORS
from mkbench.runs.results import Estimate, explainer_names, find_shared_metric, model_label
from mkbench.runs.schema import Environment, RunResults
from mkbench.studies.control_marks import mark_notes, missed_controls
from mkbench.studies.metric_columns import own_metrics
from mkbench.tables import show_estimate

Row = Mapping[str, Any]


#: Metrics of removal curves, as means over the steps.
REMOVAL = ("deletion", "insertion", "accuracy_drop", "accuracy_increase")
#: Metrics of an image's second explanation.
STABILITY = tuple(
    f"{cause}_{kind}" for cause in ("noise", "reseed") for kind in ("jaccard", "auc_correlation", "auc_flips")
)
#: Metrics of curves in which parts are taken away instead of blurred, as means over the steps.
EXACT = tuple(f"exact_{stem}" for stem in REMOVAL)
#: Metrics of images in which one thing is changed, with a column in print.
INTERVENTION = (
    *("intervention_j", "intervention_hit_rate", "intervention_false_alarm", "intervention_direction"),
    *("intervention_focus", "intervention_score_auc"),
)
#: Metrics with a column in print, in its order.
SHOWN = (
    *REMOVAL,
    *("descriptor_precision", "descriptor_recall", "part_iou", "mutual_precision", "importance_calibration"),
    *("corloc", "kept_region_top1", "concept_entropy"),
    *STABILITY,
    *EXACT,
    *INTERVENTION,
)
#: Metrics that every run has, so that they alone make no row.
_OF_EVERY_RUN = ("concept_entropy", "part_count")
#: Metrics of the CSV: both scales of the removal curves, with the number of parts that sums grow with, mutual
#: information, so that one table holds all criteria, and what the truth allows at most or gives by chance.
CSV_METRICS = (
    *(f"{stem}{scale}" for stem in REMOVAL for scale in ("", "_sum")),
    *("mutual_information", "mutual_information_auc", "mutual_information_auc_excess"),
    *("part_count", "descriptor_precision", "descriptor_precision_chance", "descriptor_recall"),
    *("descriptor_recall_bound", "part_iou", "object_driven", "object_area", "mutual_precision"),
    *(
        "mutual_precision_permuted",
        "importance_calibration",
        "corloc",
        "corloc_whole_image",
        "kept_region_top1",
        "concept_entropy",
    ),
    *STABILITY,
    *EXACT,
    *INTERVENTION,
    *("intervention_j_mispaired", "intervention_focus_mispaired", "intervention_score_auc_mispaired"),
    *(f"intervention_j_{factor}" for factor in FACTORS),
)
_REMOVAL = (
    "Deletion and insertion: area under the class score, 2.5 cos(image, class), while parts are blurred one by one or "
    "brought back; AccDrop and AccInc: the same of top-1 correctness. Means over the steps, which rank the explainers "
    "of a model (by the first of these columns, controls last); images without parts have none. The CSV has the sums "
    "of the paper too, which grow with the number of parts, and that number."
)
_RECALL = "No number of concepts allows a recall above descriptor_recall_bound in the CSV."
_FOREGROUND = "CorLoc and kept-region top-1 are of the foreground, whatever the parts; their intervals are Wilson's."
_ENTROPY = "Concept entropy: of the descriptors over an image's parts, in nats; higher where parts are told apart."
_NOISE = (
    "Noise: the same after one grey level of noise. Concepts kept: concepts named both times over concepts named "
    "either time; AUC correlation: of the AUC of each image's own curve, over images; AUC flips: share of images whose "
    "AUC goes from 0 to above or back."
)
_RESEED = "Reseed: the same with another seed, for explainers that draw something."
_TAKEN_AWAY = "Exact: the same with parts taken away, so that the scene behind the object shows, instead of blurred."
#: What the columns of changed images mean.
CHANGED = (
    "Hit rate: share of the descriptors that become true or false where one thing of an image is changed that its "
    "explanation gains or loses with them; false alarm: share of the others; J: the difference, 1 at best; direction: "
    "of the descriptors that change in both, the share that changes in the right direction, half by chance. Focus: "
    "share of the change of the importance map inside the changed pixels, over their share of the area. Score AUC, of "
    "the model: probability that the score of a descriptor moves as its truth does, further than others, half by "
    "chance."
)
_FACTORS = "The CSV has J of each thing that was changed."
_INTERVALS = "95 % intervals over images."
_COSTS = (
    "Forwards: images that pass the image encoder for each image explained, and ms: time of an image, both beyond the "
    "pass that all explainers share and without what an explainer asks of another. Time depends on the machine. "
)
_MOST_NAMED = 4  # runs of the same value
_MUTUAL = "Mutual precision: share of the concepts that both encoders name that the image shows."
#: Metric that stands below the table -> what it is.
_FOR_NOTHING = {
    "descriptor_precision_chance": "Descriptor precision of descriptors drawn at random",
    "corloc_whole_image": "CorLoc of the whole image, as a share",
}


def faithfulness_rows(
    documents: Sequence[RunResults], environments: Sequence[Environment] | None = None
) -> list[dict[str, Any]]:
    """Collect the rows of the table: of each explainer of a run with scorers of it.

    Args:
        documents: ``results.json`` of each run, parsed.
        environments: ``environment.json`` of each run, parsed; None: costs are not known.

    Returns:
        Rows with the keys ``model``, ``random_weights``, ``explainer``, ``estimates`` (metric -> ``Estimate``, of those
        of ``CSV_METRICS`` that the run has), ``not_separated`` (metric -> controls that are no worse: the interval of
        the difference holds 0), ``own`` (``OwnMetric`` by name), ``costs`` (``forwards`` and ``ms`` of an image, as far
        as known) and ``forward_ms`` (of an image, in the pass that all explainers share; None: not known).

    Example:
        >>> results = {
        ...     "model": {"name": "vit", "random_weights": False},
        ...     "metrics": [{"name": "deletion", "explainer": "pca", "value": 0.4}],
        ...     "controls": [
        ...         {"metric": "deletion", "explainer": "pca", "control": "reversed", "separates": False},
        ...     ],
        ... }
        >>> row, = faithfulness_rows([results])
        >>> row["estimates"], row["not_separated"]
        ({'deletion': Estimate(value=0.4, interval=None)}, {'deletion': ['reversed']})
    """
    printed = set(SHOWN) - set(_OF_EVERY_RUN)
    known = [{} for _ in documents] if environments is None else environments
    rows = [row for one, environment in zip(documents, known, strict=True) for row in _rows(one, environment)]
    return [row for row in rows if printed & row["estimates"].keys()]


def _rows(results: RunResults, environment: Environment) -> list[dict[str, Any]]:
    """The explainers of a run, the best by the mean over the steps of a removal curve first, controls last."""
    rows = [_row(results, environment, explainer) for explainer in explainer_names(results)]
    ranked = next((name for name in REMOVAL if any(name in row["estimates"] for row in rows)), None)
    if ranked is None:
        return rows
    sign = -1 if CATALOGUE[ranked].display.higher_is_better else 1

    def order(row: Row) -> tuple[bool, bool, float]:
        estimate = row["estimates"].get(ranked)
        last = row["explainer"] in (*CONTROLS, PLANTED)
        return last, estimate is None, 0.0 if estimate is None else sign * estimate.value

    return sorted(rows, key=order)


def _row(results: RunResults, environment: Environment, explainer: str) -> dict[str, Any]:
    found: dict[str, Estimate | None] = {
        metric: find_shared_metric(results, metric, explainer) for metric in CSV_METRICS
    }
    return {
        "model": model_label(results),
        "random_weights": bool(results["model"]["random_weights"]),
        "explainer": explainer,
        "estimates": {metric: estimate for metric, estimate in found.items() if estimate is not None},
        "not_separated": missed_controls(results, explainer),
        "own": own_metrics(results, explainer),
        "costs": environment.get("explainer_costs", {}).get(explainer, {}),
        "forward_ms": environment.get("forward_ms"),
    }


def shown_metrics(rows: Sequence[Row]) -> list[str]:
    """Return the printed metrics of which at least one row has a value.

    >>> shown_metrics([{"estimates": {"part_iou": Estimate(0.1)}}])
    ['part_iou']
    """
    return [metric for metric in SHOWN if any(metric in row["estimates"] for row in rows)]


def notes(rows: Sequence[Row]) -> list[str]:
    """Say what the columns and marks mean, as far as there are any, and what is to be had without any explanation.

    >>> row = {"model": "vit", "estimates": {"part_iou": Estimate(0.1)}, "not_separated": {"part_iou": ["random"]}}
    >>> for note in notes([row]):
    ...     print(note.partition(": ")[0])
    95 % intervals over images.
    ‡ no better than parts that lie anywhere
    """
    there = shown_metrics(rows)
    about = {
        _REMOVAL: "deletion",
        _RECALL: "descriptor_recall",
        _MUTUAL: "mutual_precision",
        _FOREGROUND: "corloc",
        _ENTROPY: "concept_entropy",
        _NOISE: "noise_jaccard",
        _RESEED: "reseed_jaccard",
        _TAKEN_AWAY: "exact_deletion",
        CHANGED: "intervention_j",
        _FACTORS: "intervention_j",
    }
    lines = [" ".join([*(text for text, metric in about.items() if metric in there), _INTERVALS])]
    lines += mark_notes(
        {control for row in rows for metric in there for control in row["not_separated"].get(metric, ())}
    )
    passes = {row["model"]: row["forward_ms"] for row in rows if row.get("forward_ms") is not None}
    if passes:
        shared = ", ".join(f"{ms:.1f} ms ({model})" for model, ms in passes.items())
        lines.append(f"{_COSTS}The shared pass: {shared}.")
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
