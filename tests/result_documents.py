"""Parsed result files of invented runs, and what the figures' tests measure."""

from itertools import combinations
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

METRICS = {
    "mi": "mutual_information",
    "auc": "mutual_information_auc",
    "chance": "mutual_information_auc_chance",
    "excess": "mutual_information_auc_excess",
}


def model_entry(label="ViT-B/16", *, name=None, family=None, random_weights=False):
    """The entry ``model`` of a ``results.json``."""
    return {
        "name": name or label.lower(),
        "label": label,
        "family": family,
        "parameters": 149_620_737,
        "random_weights": random_weights,
        "fingerprint": "f",
        "image_size": 8,
        "grid": [2, 2],
        "precision": "32",
    }


def results(label="ViT-B/16", *, top1=None, random_weights=False, estimator="paper", data="toy", **explainers):
    """A ``results.json``; each explainer maps keys of METRICS to values with intervals of 0.05 on both sides."""
    entries = [] if top1 is None else [("top1", None, top1)]
    entries += [(METRICS[key], name, value) for name, values in explainers.items() for key, value in values.items()]
    return {
        "schema_version": 1,
        "system": "mutual_knowledge",
        "model": model_entry(label, random_weights=random_weights),
        "data": {"name": data, "classes": 4, "images": 40, "unreadable": []},
        "settings": {"estimator": estimator},
        "metrics": [
            {"name": name, "explainer": explainer, "value": value, "interval": [value - 0.05, value + 0.05], "n": 40}
            for name, explainer, value in entries
        ],
        "curves": {},
        "fallbacks": {},
    }


def visible_texts(figure: Figure) -> list[Text]:
    """Texts with ink, labels of the ticks within the limits included."""
    figure.draw_without_rendering()
    unseen = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        unseen |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    texts = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip())
    return [text for text in texts if text not in unseen]


def overlapping(texts: list[Text]) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share more than a hair's breadth."""
    boxes = [Text.get_window_extent(text).padded(-1.0) for text in texts]  # without the line of an annotation
    pairs = combinations(range(len(texts)), 2)
    return [(texts[i].get_text(), texts[j].get_text()) for i, j in pairs if boxes[i].overlaps(boxes[j])]


MODEL = {"name": "vit", "label": "ViT-B/16", "parameters": 1, "random_weights": False}


def make_results(*metrics: tuple[str, str | None, float], missed: list[tuple[str, str, str]] | None = None) -> Any:
    """A ``results.json``; each of `missed` is a metric, an explainer and a control; the difference holds 0."""
    controls = [
        {"metric": metric, "explainer": explainer, "control": control, "separates": False}
        for metric, explainer, control in missed or []
    ]
    told_apart = {"metric": "part_iou", "explainer": "pca", "control": "random", "separates": True}
    return {
        "model": MODEL,
        "metrics": [
            {"name": name, "explainer": explainer, "value": value, "interval": [value - 0.1, value + 0.1]}
            for name, explainer, value in metrics
        ],
        "controls": [told_apart, *controls],
    }
