"""The catalogue of metrics: complete, consistent, and each class against a reference on any input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mkbench.metrics import ImageMetric, Proportion
from mkbench.metrics.catalogue import CATALOGUE, metric_entry, metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.proportion import ProportionMetric
from mkbench.metrics.row_metric import MeanMetric, has_value

RNG = np.random.default_rng(0)
IMAGES = 12
CURVES = [[*np.sort(RNG.random(k))[::-1].tolist(), 0.0] for k in RNG.integers(0, 6, IMAGES)]
CHANCE = [[value / 3 for value in curve] for curve in CURVES]
HITS = [(RNG.random(k) < 0.5).tolist() for k in [0, *RNG.integers(1, 9, IMAGES - 1)]]
PIXELS = RNG.integers(0, 30, (IMAGES, 4)).astype(float)
LABELS = ["size", "sizes", "colour", "", "shape", "animal", "size", "art", "artist", "x", "y", "z"]
FITS = RNG.random((IMAGES, 5)) < 0.7
FITS[:3] = True
SHUFFLED = RNG.random((IMAGES, 2, 5)) < 0.4  # head -> shuffle -> texts


def column(name: str) -> list[Any]:
    """Invented values of a column."""
    if name.endswith(("_scores", "_correct", "_scores_reversed", "_correct_reversed")) and "kept" not in name:
        return CURVES
    special: dict[str, Any] = {
        "curve": CURVES,
        "chance_curve": CHANCE,
        "grouped_curve": CURVES,
        "hits": HITS,
        "pixels": PIXELS.tolist(),
        "label": LABELS,
        "fits": FITS.tolist(),
        "shuffled_fits": SHUFFLED.tolist(),
    }
    return special.get(name) or np.random.default_rng(len(name)).random(IMAGES).tolist()


def rows(entry: MetricEntry) -> dict[str, list[Any]]:
    return {name: column(name) for name in entry.columns}


def padded(curves: list[list[float]]) -> np.ndarray:
    longest = max(map(len, curves))
    return np.array([np.pad(curve, (0, longest - len(curve))) for curve in curves])


def reference(entry: MetricEntry) -> float:  # noqa: PLR0911, PLR0912 - one line for each definition
    """The metric by numpy alone."""
    scores, shuffled = FITS.sum(axis=1), SHUFFLED.sum(axis=2)
    match entry.name.removeprefix("exact_").split("_reversed")[0]:
        case "mutual_information" | "mutual_information_grouped":
            return float(np.mean([curve[0] for curve in CURVES]))
        case "mutual_information_auc" | "mutual_information_auc_grouped":
            return float(padded(CURVES).mean())
        case "mutual_information_auc_chance":
            return float(padded(CHANCE).mean())
        case "mutual_information_auc_excess":
            return float(padded(CURVES).mean() - padded(CHANCE).mean())
        case "mutual_information_image_auc" | "deletion" | "insertion" | "accuracy_drop" | "accuracy_increase":
            return float(np.mean([np.mean(curve) for curve in CURVES]))
        case "deletion_sum" | "insertion_sum" | "accuracy_drop_sum" | "accuracy_increase_sum":
            return float(np.mean([sum(curve) - (curve[0] + curve[-1]) / 2 for curve in CURVES]))
        case "concept_count":
            return float(np.mean([len(hits) for hits in HITS]))
        case "hit_share":
            return float(np.mean([np.mean(hits) for hits in HITS if hits]))
        case "noise_auc_correlation" | "reseed_auc_correlation":
            return float(np.corrcoef([np.mean(curve) for curve in CURVES], column(entry.columns[1]))[0, 1])
        case "noise_auc_flips" | "reseed_auc_flips":
            again = np.array(column(entry.columns[1]))
            return float(np.mean((np.array([np.mean(curve) for curve in CURVES]) > 0) != (again > 0)))
        case "pixel_accuracy":
            return float((PIXELS[:, 0] + PIXELS[:, 3]).sum() / PIXELS.sum())
        case "mean_iou":
            a, b, c, d = PIXELS.sum(axis=0)
            return float((a / (a + b + c) + d / (b + c + d)) / 2)
        case "entanglement":  # sizes (of size), the second size, artist (of art)
            return 3 / IMAGES
        case "entanglement_any":  # size, sizes, size, art, artist
            return 5 / IMAGES
        case "association":
            return float((scores >= 3).mean())
        case "association_shuffled":
            return float((shuffled >= 3).mean())
        case "concept_consistency":
            return float(scores.mean())
        case "concept_consistency_shuffled":
            return float(shuffled.mean())
        case "ccs_high" | "ccs_moderate" | "ccs_low":
            wanted = {"ccs_high": [5], "ccs_moderate": [3], "ccs_low": [0, 1]}[entry.name]
            return float(np.isin(scores, wanted).sum())
        case "concept_consistency_ratio":
            high = [label for label, score in zip(LABELS, scores, strict=True) if score == 5]
            heads = [min((b for b in high if b and a.startswith(b)), key=len) for a in high if a]
            return sum(heads.count(concept) > 1 for concept in set(heads)) / len(high)
    if entry.name.startswith("ccs@"):
        return float((scores == int(entry.name[-1])).mean())
    return float(np.mean(column(entry.columns[0])))


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_metric_equals_numpy(entry: MetricEntry) -> None:
    metric = entry.build()
    values = metric.update_rows(rows(entry))
    assert float(metric.compute()) == pytest.approx(reference(entry), rel=1e-13)
    assert len(values) == IMAGES
    if isinstance(metric, MeanMetric) and entry.display.unit != "heads":
        known = values[has_value(values)]
        assert float(metric.reduce(known.reshape(len(known), -1).mean(dim=0))) == pytest.approx(
            reference(entry), rel=1e-13
        )


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_one_image_is_its_own_value_and_none_has_none(entry: MetricEntry) -> None:
    metric = entry.build()
    one = {name: values[:1] for name, values in rows(entry).items()}
    values = metric.update_rows(one)
    if not values.isnan().any():
        bounds = metric.interval(values, one)
        if isinstance(metric, ProportionMetric) and set(values.tolist()) <= {0.0, 1.0}:
            assert bounds is not None
            assert bounds[1] - bounds[0] > 0.7  # one image says little of a share
        elif bounds is not None:
            assert bounds == pytest.approx((float(metric.compute()),) * 2, abs=1e-14)
    empty = entry.build()
    assert len(empty.update_rows({name: [] for name in entry.columns})) == 0
    assert math.isnan(float(empty.compute()))


OF_IMAGES = {
    name: entry for name, entry in CATALOGUE.items() if not {"label", "fits", "shuffled_fits"} & {*entry.columns}
}


@pytest.mark.parametrize("entry", OF_IMAGES.values(), ids=OF_IMAGES)
def test_images_without_a_value_change_nothing(entry: MetricEntry) -> None:
    metric = entry.build()
    gaps = {name: [None, *values, None] for name, values in rows(entry).items()}
    values = metric.update_rows(gaps)
    assert len(values) == IMAGES + 2
    assert values[[0, -1]].isnan().all()
    assert float(metric.compute()) == pytest.approx(reference(entry), rel=1e-13)
    nothing = entry.build()
    nothing.update_rows({name: [None, None] for name in entry.columns})
    assert math.isnan(float(nothing.compute()))


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_facts_fit_each_other(entry: MetricEntry) -> None:
    direction = entry.metric.higher_is_better
    # A class may serve as a control too, which has no direction.
    assert entry.display.higher_is_better in (direction, None) or entry.metric in (ImageMetric, Proportion)
    assert entry.display.heading[-1] not in "↑↓%"
    assert (entry.display.unit == "%") == (entry.display.scale == 100)
    assert entry.meaning
    assert entry.source
    assert entry.beside is None or entry.beside in CATALOGUE
    assert entry.build().columns == entry.columns
    for state in entry.build().metric_state.values():
        assert isinstance(state, torch.Tensor)  # no lists: an empty process breaks their gathering


def test_names_are_looked_up() -> None:
    assert [entry.name for entry in metrics_of({"top1", "top5", "sample_id"})] == ["top1", "top5"]
    assert metrics_of({"top1", "part_iou"}, of_model=False) == [CATALOGUE["part_iou"]]
    with pytest.raises(KeyError):
        metric_entry({"metrics": [{"name": "other"}]}, "other")
