"""Marks of metrics that do not separate an explainer from a control."""

from collections.abc import Collection, Mapping, Sequence

from mkbench.concepts.controls import RANDOM, WHOLE_IMAGE
from mkbench.runs.results import Estimate
from mkbench.runs.schema import RunResults

#: Control -> mark, and what the control is; in the order of print.
MARKS = {
    "reversed": ("†", "the same parts in reversed order"),
    RANDOM: ("‡", "parts that lie anywhere"),
    WHOLE_IMAGE: ("§", "the whole image without parts"),
    "permuted": ("¶", "the language concepts of other classes"),
    "mispaired": ("‖", "the truth of another change of the same image"),
}


def missed_controls(results: RunResults, explainer: str) -> dict[str, list[str]]:
    """Return the controls that metrics do not separate from an explainer, by metric.

    Args:
        results: a parsed ``results.json``.
        explainer: its name; controls of the model's metrics count for every explainer.

    >>> entry = {"metric": "part_iou", "explainer": "pca", "control": "random", "separates": False}
    >>> missed_controls({"controls": [entry]}, "pca")
    {'part_iou': ['random']}
    """
    missed: dict[str, list[str]] = {}
    for entry in results.get("controls", []):
        if entry["explainer"] in (None, explainer) and not entry["separates"] and entry["control"] in MARKS:
            missed.setdefault(entry["metric"], []).append(entry["control"])
    return missed


def gain_over(results: RunResults, metric: str, explainer: str, control: str) -> Estimate | None:
    """Return how much higher a metric of an explainer is than that of a control over the same images.

    >>> difference = {"difference": -0.5, "interval": [-0.7, -0.3], "separates": False}
    >>> entry = {"metric": "mutual_information_auc", "explainer": "pca", "control": "whole-image", **difference}
    >>> gain_over({"controls": [entry]}, "mutual_information_auc", "pca", "whole-image")
    Estimate(value=-0.5, interval=(-0.7, -0.3))
    """
    for entry in results.get("controls", []):
        if (entry["metric"], entry["explainer"], entry["control"]) == (metric, explainer, control):
            low, high = entry["interval"]
            return Estimate(entry["difference"], (low, high))
    return None


def marks_of(not_separated: Mapping[str, Sequence[str]], metric: str) -> str:
    """Return the marks of a metric, in their order.

    >>> marks_of({"auc": ["whole-image", "random"]}, "auc")
    '‡§'
    """
    return "".join(mark for control, (mark, _) in MARKS.items() if control in not_separated.get(metric, ()))


def mark_notes(controls: Collection[str]) -> list[str]:
    """Say what the marks of some controls mean.

    >>> mark_notes({"random"})
    ['‡ no better than parts that lie anywhere: the 95 % interval of the difference holds 0 or lies on the worse side.']
    """
    return [
        f"{mark} no better than {what}: the 95 % interval of the difference holds 0 or lies on the worse side."
        for control, (mark, what) in MARKS.items()
        if control in controls
    ]
