"""Results are made by the classes of the catalogue: without one, its numbers are gone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from explained_records import make_records

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, ShuffledLabels, Source
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.curves import pad_curves
from mkbench.metrics.metric_results import metric_results
from mkbench.metrics.row_metric import RowMetric
from mkbench.runs.group_files import GroupRecord
from mkbench.scorers import InterventionScorer
from mkbench.studies.head_labels.scores import score_heads
from mkbench.systems.records.descriptor_zero_shot import VARIANTS, image_record, summarise_images
from mkbench.systems.records.head_segmentation import METHODS, SEGMENTATION_SCHEMA, summarise_segmentation
from mkbench.systems.records.metric_rows import TableRows, join_groups, rows_by
from mkbench.systems.records.summary import summarise

CURVES = [
    f"{mode}_{kind}{end}"
    for mode in ("deletion", "insertion", "exact_deletion", "exact_insertion")
    for kind in ("scores", "correct")
    for end in ("", "_reversed")
] + ["grouped_curve"]
NUMBERS = [
    *("importance_effect", "descriptor_precision", "descriptor_precision_chance", "descriptor_recall"),
    *("descriptor_recall_bound", "part_iou", "object_driven", "object_area", "localised", "localised_by_whole"),
    *("kept_region_correct", "mutual_precision", "mutual_precision_permuted", "language_precision"),
    *("language_precision_permuted", "language_recall", "language_recall_permuted"),
    *("noise_jaccard", "noise_auc", "reseed_jaccard", "reseed_auc"),
    *InterventionScorer().columns,
]


def explained() -> dict[str, Any]:
    rng, records = np.random.default_rng(0), []
    for record in make_records(groups=2):
        rows = record.rows
        for name in CURVES:
            rows = rows.append_column(name, pa.array(rng.random((len(rows), 3)).tolist()))
        for name in NUMBERS:
            rows = rows.append_column(name, pa.array(rng.random(len(rows))))
        records.append(GroupRecord(record.key, rows))
    return summarise(records)


def described() -> dict[str, Any]:
    group = ClassGroup(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 0, 0, ("a", "b"))
    found = dict.fromkeys(VARIANTS, torch.tensor([[0, 1], [1, 0]]))
    return summarise_images([image_record(group, found, list("abcdef"), list(VARIANTS))])


def segmented() -> dict[str, Any]:
    shared = {"sample_id": "a", "class_index": 0, "top1": True, "top5": True, "pixels": [3.0, 1.0, 1.0, 3.0]}
    rows = [{**shared, "method": method, "average_precision": 0.5} for method in METHODS]
    return summarise_segmentation([GroupRecord("00000-000", pa.Table.from_pylist(rows, schema=SEGMENTATION_SCHEMA))])


def labelled() -> dict[str, Any]:
    hand, fits = Source("hand"), (True,) * 5
    heads = tuple(
        LabelledHead(HeadTexts(0, place, tuple("abcde")), HeadLabel("size", hand), Judgement(fits, hand))
        for place in range(2)
    )
    return score_heads(LabelDocument(heads, (ShuffledLabels(("size",) * 2, (fits,) * 2),), {}, {}))


def completed() -> dict[str, Any]:
    names = ("top1_mean_ablated", "top1_reconstructed")
    return {"metrics": metric_results([CATALOGUE[name] for name in names], {name: [True] for name in names})}


KINDS: tuple[Callable[[], dict[str, Any]], ...] = (explained, described, segmented, labelled, completed)


def values() -> dict[tuple[str, str | None], float]:
    metrics = [metric for kind in KINDS for metric in kind()["metrics"]]
    return {(metric["name"], metric["explainer"]): metric["value"] for metric in metrics}


def test_every_metric_of_the_catalogue_is_made() -> None:
    assert {name for name, _ in values()} == set(CATALOGUE)


@pytest.mark.parametrize("metric", dict.fromkeys(entry.metric for entry in CATALOGUE.values()))
def test_without_its_class_a_number_is_gone(metric: type[RowMetric], monkeypatch: pytest.MonkeyPatch) -> None:
    before = values()
    monkeypatch.setattr(metric, "compute", lambda self: torch.tensor(-77.0))
    after = values()
    assert after.keys() == before.keys()
    changed = {name for (name, explainer), value in after.items() if value == -77.0}
    assert changed == {entry.name for entry in CATALOGUE.values() if entry.metric.compute is metric.compute}
    assert all(after[key] == before[key] for key in after if key[0] not in changed)


# -- tables of many rows ---------------------------------------------------------------------------------------------


def test_a_column_is_read_without_all_of_its_values_as_python_objects() -> None:
    rows = TableRows(pa.table({"curve": [[float(value) for value in range(16)]] * 20_000}))
    tracemalloc.start()
    try:
        padded, lengths = pad_curves(rows["curve"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert padded.tolist()[-1] == list(range(16))
    assert set(lengths.tolist()) == {16}
    assert peak < 8e6  # as lists of floats they take 13 MB, and held twice or more


def test_a_column_is_a_sequence_in_the_order_of_the_places() -> None:
    column = TableRows(pa.table({"top1": [True, None, False]}), places=pa.array([2, 1]))["top1"]
    assert (list(column), len(column), column[0], column[-1], column[:1]) == ([False, None], 2, False, None, [False])


def test_rows_are_split_and_ordered_without_a_copy_of_the_table() -> None:
    rows = pa.table({"explainer": ["a", "b", "a", "b"], "sample_id": ["y", "y", "x", "x"], "top1": [1, 2, 3, 4]})
    order = pa.array([2, 3, 0, 1])
    assert {owner: list(own["top1"]) for owner, own in rows_by(rows, "explainer", order).items()} == {
        None: [3, 1],
        "a": [3, 1],
        "b": [4, 2],
    }
    assert rows_by(rows.slice(0, 0), "explainer") == {}


def test_groups_are_joined_in_canonical_order_with_the_wanted_columns_alone() -> None:
    records = [
        GroupRecord(key, pa.table({"class_index": [number] * 2, "sample_id": ["b", "a"], "descriptor_ids": [[1], [2]]}))
        for key, number in (("00001-000", 1), ("00000-000", 0))
    ]
    assert join_groups(records, {"class_index", "sample_id"}).rows.to_pydict() == {
        "class_index": [0, 0, 1, 1],
        "sample_id": ["a", "b", "a", "b"],
    }
    assert join_groups(records).rows["descriptor_ids"].to_pylist() == [[2], [1], [2], [1]]
