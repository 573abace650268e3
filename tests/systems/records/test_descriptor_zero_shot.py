import numpy as np
import pyarrow as pa
import pytest
import torch

from mkbench.datamodules import ClassGroup
from mkbench.metrics.functional import bootstrap_interval
from mkbench.runs.group_files import read_group, write_group
from mkbench.systems.records.descriptor_zero_shot import VARIANTS, image_record, summarise_images

NAMES = ["bat", "owl", "ant", "bee", "cow", "dog"]


def group(label, images, unreadable=()):
    pixels = torch.zeros(images, 3, 4, 4, dtype=torch.uint8)
    return ClassGroup(pixels, label, 0, tuple(f"{NAMES[label]}/{i}.png" for i in range(images)), unreadable)


def record(label, **predicted):
    images = len(predicted["base"])
    return image_record(
        group(label, images),
        {name: torch.tensor(ids)[:, None] for name, ids in predicted.items()},
        NAMES,
        list(predicted),
    )


def records():
    # Right by base, descriptors and mined: bats 1 of 2, 2, 2; owls 3 of 3, 1, 2.
    return [
        record(1, base=[1, 1, 1], descriptors=[0, 1, 0], mined=[1, 1, 0]),
        record(0, base=[0, 1], descriptors=[0, 0], mined=[0, 0]),
    ]


def test_rows_survive_the_disk(tmp_path):
    written = records()[0]
    found = read_group(write_group(tmp_path, written))
    assert found.rows.equals(written.rows)
    assert found.rows.to_pylist()[0] == {
        "sample_id": "owl/0.png",
        "class_index": 1,
        "class_name": "owl",
        "predicted_index": 1,
        "top1": True,
        "top5": True,
        "predicted_descriptors": 0,
        "top1_descriptors": False,
        "top5_descriptors": False,
        "predicted_mined": 1,
        "top1_mined": True,
        "top5_mined": True,
    }


def test_metrics_and_differences():
    summary = summarise_images(records())
    assert {metric["name"]: metric["value"] for metric in summary["metrics"] if "top1" in metric["name"]} == {
        "top1": 4 / 5,
        "top1_descriptors": 3 / 5,
        "top1_mined": 4 / 5,
    }
    assert all(metric["higher_is_better"] and metric["n"] == 5 for metric in summary["metrics"])
    differences = {(entry["metric"], entry["minus"]): entry for entry in summary["differences"]}
    values = {pair: entry["value"] for pair, entry in differences.items()}
    assert values == pytest.approx(
        {
            ("top1_descriptors", "top1"): -1 / 5,
            ("top1_mined", "top1"): 0.0,
            ("top1_mined", "top1_descriptors"): 1 / 5,
        }
    )
    # Paired: over the five images, in the order of class and sample id, descriptors less base are 0, 1, -1, 0, -1.
    low, high = bootstrap_interval(torch.tensor([0.0, 1.0, -1.0, 0.0, -1.0]))
    assert differences["top1_descriptors", "top1"]["interval"] == [low, high]


def test_intervals_are_those_of_numpy():
    rng = np.random.default_rng(0)
    base, mined = rng.random(300) < 0.6, rng.random(300) < 0.7
    rows = record(
        1, base=base.astype(int).tolist(), descriptors=base.astype(int).tolist(), mined=mined.astype(int).tolist()
    )
    entry = next(
        e for e in summarise_images([rows])["differences"] if (e["metric"], e["minus"]) == ("top1_mined", "top1")
    )
    # Rows are sorted by name, which for a mean and its resampling is only an order.
    change = mined.astype(float) - base
    means = [change[rng.integers(0, 300, 300)].mean() for _ in range(4000)]
    assert entry["interval"] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=0.015)


def test_order_of_groups_plays_no_part():
    assert summarise_images(records()) == summarise_images(records()[::-1])


def test_groups_without_an_image():
    empty = image_record(group(1, 0, ("owl/9.png: torn",)), {}, NAMES, list(VARIANTS))
    assert empty.rows.num_rows == 0
    summary = summarise_images([empty, *records()])
    assert (summary["images"], summary["unreadable"]) == (5, ["owl/9.png: torn"])
    assert summary["metrics"] == summarise_images(records())["metrics"]
    nothing = summarise_images([empty])
    assert (nothing["images"], nothing["metrics"], nothing["differences"]) == (0, [], [])


def test_two_ways_without_mining():
    rows = record(0, base=[0], descriptors=[1])
    assert [name for name in rows.rows.column_names if "mined" in name] == []
    names = [metric["name"] for metric in summarise_images([rows])["metrics"]]
    assert names == ["top1", "top5", "top1_descriptors", "top5_descriptors"]
    assert rows.rows.schema.field("predicted_descriptors").type == pa.int64()


def test_no_top5_of_five_classes_or_fewer():
    predicted = {"base": torch.tensor([[0, 1, 2, 3, 4]]), "mined": torch.tensor([[1, 0, 2, 3, 4]])}
    told = image_record(group(1, 1), predicted, NAMES[:5], list(predicted))
    assert [told.rows[name].to_pylist() for name in ("top1", "top5", "top5_mined")] == [[False], [None], [None]]
    assert [metric["name"] for metric in summarise_images([told])["metrics"]] == ["top1", "top1_mined"]


def test_top5_counts_the_class_anywhere_among_the_nearest():
    predicted = {"base": torch.tensor([[0, 1], [1, 0]]), "descriptors": torch.tensor([[1, 0], [0, 0]])}
    rows = image_record(group(1, 2), predicted, NAMES, list(predicted)).rows
    assert rows["top1"].to_pylist() == [False, True]
    assert rows["top5"].to_pylist() == [True, True]
    assert rows["top5_descriptors"].to_pylist() == [True, False]


def test_controls_are_compared_with_prompts_and_own_descriptors():
    ways = {way: [1, 1] for way in VARIANTS}
    found = [(entry["metric"], entry["minus"]) for entry in summarise_images([record(1, **ways)])["differences"]]
    assert sorted(found) == sorted(
        [(f"top1_{way}", "top1") for way in ("descriptors", "mined", "shuffled", "random")]
        + [(f"top1_{way}", "top1_descriptors") for way in ("mined", "shuffled", "random")]
    )
