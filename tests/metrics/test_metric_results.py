"""Entries of results.json: values, intervals and controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mkbench.metrics import ImageMetric
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.functional import bootstrap_interval, paired_bootstrap_difference
from mkbench.metrics.metric_results import control_results, difference_result, metric_result
from mkbench.metrics.own_metrics import own_entries
from mkbench.metrics.row_metric import numbers


def compare(**explainers: dict[str, list[Any]]) -> list[dict[str, Any]]:
    columns = {column for rows in explainers.values() for column in rows}
    return control_results(metrics_of(columns, of_model=False), explainers)


def entry(entries: list[dict[str, Any]], metric: str, control: str) -> dict[str, Any]:
    (found,) = [e for e in entries if e["metric"] == metric and e["control"] == control and e["explainer"] == "pca"]
    return found


def test_value_interval_and_count_are_over_the_images_with_a_value() -> None:
    values = np.random.default_rng(0).random(30)
    result = metric_result(CATALOGUE["part_iou"], {"part_iou": [*values.tolist(), None]}, "pca")
    assert result is not None
    assert result["value"] == pytest.approx(values.mean(), abs=1e-15)
    assert tuple(result["interval"]) == bootstrap_interval(numbers(values.tolist()))
    assert (result["n"], result["explainer"], result["higher_is_better"]) == (30, "pca", True)
    assert set(result) == {"name", "explainer", "value", "higher_is_better", "n", "interval"}


def test_undefined_value_is_no_entry() -> None:
    same = {"curve": [[0.0]] * 3, "noise_auc": [0.0, 1.0, 2.0]}
    assert metric_result(CATALOGUE["noise_auc_correlation"], same) is None
    assert metric_result(CATALOGUE["noise_auc_flips"], same) is not None


def test_each_control_is_compared_with_every_other_explainer() -> None:
    curves = {"pca": [[2.0, 0.0]] * 3, "random": [[1.0, 0.0]] * 3, "whole-image": [[3.0, 0.0]] * 3}
    entries = compare(**{name: {"curve": curve, "part_iou": [None] * 3} for name, curve in curves.items()})
    assert {e["explainer"] for e in entries} == {"pca"}
    assert entry(entries, "mutual_information", "random")["difference"] == 1
    gained = entry(entries, "mutual_information_auc", "whole-image")
    assert (gained["difference"], gained["interval"], gained["separates"]) == (-0.5, [-0.5, -0.5], False)
    assert not [e for e in entries if e["metric"] == "part_iou"]


def test_curves_are_padded_to_the_longest_of_both() -> None:
    """One more concept of one image, which shares nothing, makes the control no worse: sums of 3, 3 and 3 of both."""
    own, other = [[2.0, 1.0, 0.0]] * 3, [[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [2.0, 1.0, 0.0, 0.0]]
    chance = [[0.0] * len(curve) for curve in own], [[0.0] * len(curve) for curve in other]
    rows = {"pca": {"curve": own, "chance_curve": chance[0]}, "random": {"curve": other, "chance_curve": chance[1]}}
    for metric in ("mutual_information_auc", "mutual_information_auc_excess"):
        found = entry(compare(**rows), metric, "random")
        assert (found["difference"], found["interval"], found["separates"]) == (0, [0, 0], False)
    assert metric_result(CATALOGUE["mutual_information_auc"], rows["random"])["value"] == 0.75  # its own longest


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_no_value_is_no_entry(values: list[None]) -> None:
    assert metric_result(CATALOGUE["part_iou"], {"part_iou": values}) is None
    assert compare(pca={"part_iou": values}, random={"part_iou": values}) == []


def test_stability_is_compared_with_that_of_the_controls() -> None:
    aucs = np.random.default_rng(0).random(40)
    own = {"curve": [[auc] for auc in aucs.tolist()], "noise_jaccard": [0.9, 0.8] * 20}
    other = own | {"noise_jaccard": [0.5, 0.6] * 20, "noise_auc": aucs[::-1].tolist()}
    entries = compare(pca=own | {"noise_auc": aucs.tolist()}, random=other)
    kept, correlation = (entry(entries, f"noise_{name}", "random") for name in ("jaccard", "auc_correlation"))
    assert (kept["difference"], kept["separates"]) == (pytest.approx(0.3), True)
    assert correlation["difference"] == pytest.approx(1 - np.corrcoef(aucs, aucs[::-1])[0, 1])
    assert correlation["separates"]


def test_difference_of_correlations_that_do_not_exist_is_no_entry() -> None:
    rows = {"curve": [[0.0]] * 3, "noise_auc": [0.0, 1.0, 2.0], "noise_jaccard": [None] * 3}
    assert [e["metric"] for e in compare(pca=rows, random=rows)] == [
        *("mutual_information", "mutual_information_auc", "noise_auc_flips")
    ]
    # Resamples that draw only images of the same AUC have no correlation; the others give the interval.
    some = {"curve": [[0.0], [0.0], [1.0]], "noise_auc": [0.0, 0.5, 1.0], "noise_jaccard": [None] * 3}
    assert np.isfinite(entry(compare(pca=some, random=some), "noise_auc_correlation", "random")["interval"]).all()


def test_metric_of_a_user_says_how_it_is_shown() -> None:
    class Darkness(ImageMetric):
        """Mean darkness."""

        name, columns, higher_is_better, heading, decimals = "darkness", ("dark",), False, "dark", 1

    (own,) = own_entries([Darkness()])
    result = metric_result(own, {"dark": [0.5]})
    assert result is not None
    shown = {"heading": "dark", "unit": "", "decimals": 1, "scale": 1.0, "higher_is_better": False}
    assert result | shown == result
    assert (result["value"], result["interval"]) == (0.5, [0.5, 0.5])


def test_reversed_order_is_compared_image_by_image() -> None:
    found = entry(
        compare(
            pca={
                "deletion_scores": [[1.0, 0.0], [1.0, 0.5], [0.8]],
                "deletion_scores_reversed": [[1.0, 0.8], [1.0, 0.9], [0.8]],
            }
        ),
        "deletion",
        "reversed",
    )
    # Means of the curves: 0.5, 0.75, 0.8 against 0.9, 0.95, 0.8.
    assert found["difference"] == pytest.approx((-0.4 - 0.2 + 0.0) / 3)
    assert found["n"] == 3
    assert not found["separates"]  # one image of three has no difference, and a resample may hold it alone
    assert found["interval"][1] == 0


@pytest.mark.parametrize(("column", "metric"), [("deletion_scores", "deletion"), ("insertion_scores", "insertion")])
@pytest.mark.parametrize("gap", [-0.3, 0.3])
def test_separation_needs_the_better_side(column: str, metric: str, gap: float) -> None:
    scores = np.random.default_rng(0).random((40, 2))
    rows = {column: scores.tolist(), f"{column}_reversed": (scores - gap).tolist()}
    found = entry(compare(pca=rows), metric, "reversed")
    assert found["difference"] == pytest.approx(gap)
    assert found["separates"] is (gap > 0 if metric == "insertion" else gap < 0)


def test_random_parts_are_not_compared_with_themselves() -> None:
    rows = {"deletion_scores": [[0.1], [0.2], [0.3]]}, {"deletion_scores": [[0.4], [0.5], [0.6]]}
    entries = compare(pca=rows[0], random=rows[1])
    found = entry(entries, "deletion", "random")
    assert found["interval"] == pytest.approx([-0.3, -0.3])
    assert found["separates"]
    assert {e["explainer"] for e in entries} == {"pca"}


@pytest.mark.parametrize("column", ["part_iou", "descriptor_precision"])
def test_numbers_are_compared_where_both_have_one(column: str) -> None:
    found = entry(
        compare(pca={column: [0.5, 0.6, None, 0.9]}, random={column: [0.1, None, 0.3, 0.2]}), column, "random"
    )
    assert found["difference"] == pytest.approx((0.4 + 0.7) / 2)
    assert (found["n"], found["separates"]) == (2, True)
    assert tuple(found["interval"]) == paired_bootstrap_difference(numbers([0.5, 0.9]), numbers([0.1, 0.2]))


def test_what_is_of_the_model_and_what_has_no_direction_is_not_compared() -> None:
    columns: dict[str, list[Any]] = {
        "localised": [True, False],
        "descriptor_precision_chance": [0.1, 0.2],
        "descriptor_recall_bound": [1.0, 1.0],
        "top1": [True, False],
    }
    assert compare(pca=columns, random=columns) == []


def test_metric_that_follows_from_means_of_several_numbers_is_compared_after_reduction() -> None:
    # Of two pixels of one image: both right, one right.
    right, half = {"pixels": [[1.0, 0.0, 0.0, 1.0]]}, {"pixels": [[1.0, 0.0, 1.0, 0.0]]}
    found = difference_result(CATALOGUE["pixel_accuracy"], CATALOGUE["pixel_accuracy"], right, half)
    assert found == {"value": 0.5, "n": 1, "interval": [0.5, 0.5]}
    # Mean IoU: 1 against (1/2 + 0) / 2.
    found = difference_result(CATALOGUE["mean_iou"], CATALOGUE["mean_iou"], right, half)
    assert found["value"] == 0.75


def test_metric_without_values_of_single_images_has_no_difference() -> None:
    rows = {"label": ["size"]}
    with pytest.raises(TypeError, match="values of single images, found entanglement"):
        difference_result(CATALOGUE["entanglement"], CATALOGUE["entanglement"], rows, rows)
