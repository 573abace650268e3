from __future__ import annotations

import pytest
import torch

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.systems.records.rankings import ranking_record, summarise_rankings

NAMES = ["ant", "bee", "cat", "dog", "elk", "fox"]


def group(label: int | None, ids: tuple[str, ...], unreadable: tuple[str, ...] = ()) -> ClassGroup:
    return ClassGroup(torch.zeros(len(ids), 3, 8, 8, dtype=torch.uint8), label, 0, ids, unreadable)


def test_rows_say_what_was_predicted_and_whether_it_is_right() -> None:
    record = ranking_record(group(2, ("a", "b")), torch.tensor([[2, 0], [1, 0]]), NAMES)
    assert record.rows["predicted_index"].to_pylist() == [2, 1]
    assert record.rows["class_name"].to_pylist() == ["cat", "cat"]
    assert record.rows["top1"].to_pylist() == [True, False]
    assert record.rows["top5"].to_pylist() == [True, False]


def test_accuracy_is_over_all_images_in_any_order_of_the_groups() -> None:
    first = ranking_record(group(0, ("a",)), torch.tensor([[0, 1]]), NAMES)
    second = ranking_record(group(1, ("b", "c", "d")), torch.tensor([[0, 1], [0, 2], [2, 0]]), NAMES)
    empty = ranking_record(group(2, (), ("e cannot be read",)), None, NAMES)
    summary = summarise_rankings([second, empty, first])
    assert summary == summarise_rankings([first, second, empty])
    assert {metric["name"]: metric["value"] for metric in summary["metrics"]} == {"top1": 0.25, "top5": 0.5}
    assert (summary["images"], summary["unreadable"]) == (4, ["e cannot be read"])
    low, high = summary["metrics"][0]["interval"]
    assert 0 <= low < 0.25 < high <= 1


def test_nearest_five_of_five_classes_say_nothing() -> None:
    ranking = torch.tensor([[4, 3, 2, 1, 0]])
    assert ranking_record(group(0, ("a",)), ranking, NAMES[:5]).rows["top5"].to_pylist() == [None]
    assert ranking_record(group(0, ("a",)), ranking, NAMES).rows["top5"].to_pylist() == [True]


@pytest.mark.parametrize("ids", [("a",), ()])
def test_without_labels_or_images_there_is_no_accuracy(ids: tuple[str, ...]) -> None:
    ranking = torch.tensor([[0, 1]]) if ids else None
    record = ranking_record(group(None if ids else 1, ids), ranking, NAMES)
    assert record.rows["top1"].null_count == len(ids)
    assert summarise_rankings([record])["metrics"] == []
