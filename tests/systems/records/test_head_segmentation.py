from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mkbench.metrics.functional.wilson import wilson_interval
from mkbench.runs.group_files import GroupRecord, read_group, write_group
from mkbench.systems.records.head_segmentation import METHODS, SCORES, SEGMENTATION_SCHEMA, summarise_segmentation

Row = dict[str, Any]


def rows_of(name: str, pixels: dict[str, list[float] | None], precision: dict[str, float | None]) -> list[Row]:
    shared = {"sample_id": name, "class_index": 0, "class_name": "owl", "predicted_index": 0, "top1": True}
    shared |= {"top5": True, "mapped_index": 0, "pixel_accuracy": None, "background_iou": None, "object_iou": None}
    return [
        {**shared, "method": method, "pixels": pixels[method], "average_precision": precision[method]}
        for method in METHODS
    ]


def record(key: str, images: list[list[Row]], fallbacks: dict[str, dict[str, int]] | None = None) -> GroupRecord:
    rows = [row for image in images for row in image]
    return GroupRecord(key, pa.Table.from_pylist(rows, schema=SEGMENTATION_SCHEMA), fallbacks or {})


def invented(images: int = 40) -> list[list[Row]]:
    """Rows of images of 100 pixels, 30 of them the object: the heads find 20, attention 10, random heads 19 of them."""
    rng = np.random.default_rng(0)
    rows = []
    for image in range(images):
        found = {"heads": 20, "attention": 10, "random_heads": 19}
        pixels, precision = {}, {}
        for method, mean in found.items():
            right, wrong = mean + int(rng.integers(-3, 4)), int(rng.integers(0, 10))
            pixels[method] = [70.0 - wrong, float(wrong), 30.0 - right, float(right)]
            precision[method] = float(right / 40)
        rows.append(rows_of(f"{image:03d}", pixels, precision))
    return rows


def by_hand(rows: list[list[Row]], method: str) -> dict[str, float]:
    own = [row for image in rows for row in image if row["method"] == method]
    counts = np.sum([row["pixels"] for row in own], axis=0)
    background = counts[0] / (counts[0] + counts[1] + counts[2])
    found = counts[3] / (counts[3] + counts[1] + counts[2])
    return {
        "pixel_accuracy": (counts[0] + counts[3]) / counts.sum(),
        "mean_iou": (background + found) / 2,
        "average_precision": float(np.mean([row["average_precision"] for row in own])),
    }


def test_metrics_are_of_the_pixels_of_all_images() -> None:
    rows = invented()
    summary = summarise_segmentation([record("00000-000", rows)])
    found = {(metric["explainer"], metric["name"]): metric for metric in summary["metrics"]}
    assert [(metric["explainer"], metric["name"]) for metric in summary["metrics"]] == [
        *((None, name) for name in ("top1", "top5")),
        *((method, name) for method in METHODS for name in SCORES),
    ]
    for method in METHODS:
        for name, value in by_hand(rows, method).items():
            metric = found[method, name]
            assert metric["value"] == pytest.approx(value)
            low, high = metric["interval"]
            assert low < value < high < low + 0.1
            assert (metric["n"], metric["higher_is_better"]) == (40, True)
    assert summary["images"] == 40


def test_intervals_are_those_of_resampled_images() -> None:
    """An independent bootstrap, with draws of its own, comes to the same intervals within a fifth of their width."""
    rows, rng = invented(), np.random.default_rng(1)
    metrics = summarise_segmentation([record("00000-000", rows)])["metrics"]
    drawn = [[rows[place] for place in rng.integers(0, 40, 40)] for _ in range(2000)]
    for name in SCORES:
        values = [by_hand(sample, "heads")[name] for sample in drawn]
        (metric,) = (m for m in metrics if (m["explainer"], m["name"]) == ("heads", name))
        low, high = np.quantile(values, [0.025, 0.975])
        assert metric["interval"] == pytest.approx([low, high], abs=0.2 * (high - low))


def test_controls_are_compared_image_by_image() -> None:
    rows = invented()
    controls = summarise_segmentation([record("00000-000", rows)])["controls"]
    assert [(entry["metric"], entry["control"]) for entry in controls] == [
        (name, control) for name in SCORES for control in METHODS[1:]
    ]
    heads = by_hand(rows, "heads")
    for entry in controls:
        difference = heads[entry["metric"]] - by_hand(rows, entry["control"])[entry["metric"]]
        assert entry["difference"] == pytest.approx(difference)
        low, high = entry["interval"]
        assert low < difference < high
        assert entry["separates"] is (low > 0)
        assert (entry["explainer"], entry["n"]) == ("heads", 40)
    assert all(entry["separates"] for entry in controls if entry["control"] == "attention")


def test_a_control_that_is_better_does_not_separate() -> None:
    rows = invented()
    for image in rows:
        image[0]["pixels"], image[1]["pixels"] = image[1]["pixels"], image[0]["pixels"]
    controls = summarise_segmentation([record("00000-000", rows)])["controls"]
    ends = {entry["metric"]: entry for entry in controls if entry["control"] == "attention"}
    assert ends["mean_iou"]["interval"][1] < 0
    assert not ends["mean_iou"]["separates"]


def test_groups_and_their_order_do_not_matter(tmp_path: Path) -> None:
    rows = invented(6)
    whole = summarise_segmentation([record("00000-000", rows)])
    halves = [record("00000-000", rows[:2]), record("00000-001", rows[2:])]
    assert summarise_segmentation(halves[::-1]) == whole
    kept = [read_group(write_group(tmp_path, half)) for half in halves]
    assert summarise_segmentation(kept) == whole


def test_image_without_an_object_does_not_count() -> None:
    rows = invented(3)
    nothing = rows_of("999", dict.fromkeys(METHODS), dict.fromkeys(METHODS))
    fallbacks = {"heads": {"no_contrast": 1}, "ground_truth": {"no_mask": 1}}
    some = summarise_segmentation([record("00000-000", rows, {"heads": {"no_contrast": 2}})])
    more = [record("00000-000", rows, {"heads": {"no_contrast": 2}}), record("00000-001", [nothing], fallbacks)]
    summary = summarise_segmentation(more)
    assert summary["metrics"][2:] == some["metrics"][2:]
    assert summary["controls"] == some["controls"]
    assert (summary["images"], some["images"]) == (4, 3)
    assert summary["fallbacks"] == {"heads": {"no_contrast": 3}, "ground_truth": {"no_mask": 1}}
    alone = summarise_segmentation([record("00000-001", [nothing])])
    assert [metric["name"] for metric in alone["metrics"]] == ["top1", "top5"]
    assert alone["controls"] == []


def test_means_of_one_image_have_an_interval_without_width() -> None:
    summary = summarise_segmentation([record("00000-000", invented(1))])
    for metric in summary["metrics"]:
        share = metric["name"] in ("top1", "top5")  # of one image, a share has an interval all the same: Wilson's
        expected = wilson_interval(int(metric["value"]), 1) if share else [metric["value"]] * 2
        assert metric["interval"] == pytest.approx(expected)
