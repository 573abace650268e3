from __future__ import annotations

import pytest
import torch

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.runs.group_files import GroupRecord, read_group, write_group
from mkbench.systems.records.classifiers import classified_record, summarise_classified

NAMES = [f"class {index}" for index in range(7)]
HEADS = ["linear-probe", "mm-cbm"]


def make_group(label: int, *ids: str, unreadable: tuple[str, ...] = ()) -> ClassGroup:
    return ClassGroup(torch.zeros(len(ids), 3, 4, 4, dtype=torch.uint8), label, 0, ids, unreadable)


def make_records() -> list[GroupRecord]:
    """Three images of class 1 and one of class 2; what each classifier says of them is below."""
    ranking = {
        None: torch.tensor([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [0, 2, 3, 4, 5]]),  # second, first, not among five
        "linear-probe": torch.tensor([[1, 0, 2, 3, 4], [1, 0, 2, 3, 4], [0, 2, 3, 4, 1]]),  # first, first, fifth
        "mm-cbm": torch.tensor([[1, 0, 2, 3, 4]] * 3),  # first
    }
    other = {name: torch.tensor([[2, 0, 1, 3, 4]]) for name in (None, "linear-probe", "mm-cbm")}
    first = classified_record(make_group(1, "a", "b", "c"), ranking, NAMES, HEADS)
    return [classified_record(make_group(2, "d"), other, NAMES, HEADS), first]


def test_metrics_are_those_worked_out_by_hand() -> None:
    summary = summarise_classified(make_records(), HEADS)
    values = {(metric["name"], metric["explainer"]): metric["value"] for metric in summary["metrics"]}
    assert values == {
        ("top1", None): 2 / 4,
        ("top5", None): 3 / 4,
        ("top1", "linear-probe"): 3 / 4,
        ("top5", "linear-probe"): 1.0,
        ("top1", "mm-cbm"): 1.0,
        ("top5", "mm-cbm"): 1.0,
    }
    (difference,) = summary["differences"]
    assert (difference["explainer"], difference["minus"], difference["value"]) == ("mm-cbm", "linear-probe", 0.25)
    assert difference["interval"][0] <= 0.25 <= difference["interval"][1]
    assert summary["images"] == 4
    for metric in summary["metrics"]:
        assert metric["n"] == 4
        assert metric["interval"][0] <= metric["value"] <= metric["interval"][1]


def test_order_of_groups_changes_nothing() -> None:
    records = make_records()
    assert summarise_classified(records, HEADS) == summarise_classified(records[::-1], HEADS)


def test_rows_survive_the_disk(tmp_path) -> None:
    for record in make_records():
        again = read_group(write_group(tmp_path, record))
        assert again.rows.equals(record.rows)
    (row,) = make_records()[0].rows.to_pylist()
    assert row["predicted_index"] == row["predicted_index_mm-cbm"] == 2
    assert row["top1"] is row["top5_linear-probe"] is True


def test_group_without_a_readable_image() -> None:
    empty = classified_record(make_group(3, unreadable=("x.png: broken",)), {}, NAMES, HEADS)
    assert len(empty.rows) == 0
    summary = summarise_classified([empty], HEADS)
    assert (summary["metrics"], summary["differences"], summary["images"]) == ([], [], 0)
    together = summarise_classified([empty, *make_records()], HEADS)
    assert together["unreadable"] == ["x.png: broken"]
    assert together["metrics"] == summarise_classified(make_records(), HEADS)["metrics"]


@pytest.mark.parametrize("classes", [2, 3])
def test_fewer_than_five_classes(classes: int) -> None:
    ranking = {name: torch.arange(classes)[None] for name in (None, "linear-probe")}
    record = classified_record(make_group(classes - 1, "a"), ranking, NAMES, ["linear-probe"])
    metrics = summarise_classified([record], ["linear-probe"])["metrics"]
    assert [metric["value"] for metric in metrics] == [0.0, 1.0, 0.0, 1.0]
