"""Metrics of a run that goes on."""

from __future__ import annotations

import pyarrow as pa
import pytest
from explained_records import make_records

from mkbench.metrics import ImageMetric
from mkbench.metrics.own_metrics import own_entries
from mkbench.systems.live_metrics import LiveMetrics
from mkbench.systems.records.summary import explained_layout, explained_rows, summarise


class Parts(ImageMetric):
    """Mean number of parts."""

    name, columns, higher_is_better = "own_part_count", ("num_parts",), None


OWN = own_entries([Parts()])


def live(records: list) -> LiveMetrics:
    columns = records[0].rows.column_names
    return LiveMetrics(explained_layout(columns, ["pca", "kmeans"], OWN))


@pytest.mark.parametrize("order", [1, -1])
def test_groups_in_any_order_give_the_values_of_the_results(order: int) -> None:
    records = make_records()
    metrics = live(records)
    for record in records[::order]:
        metrics.update(explained_rows(record.rows))
    expected = {
        metric["name"] + (f"/{metric['explainer']}" if metric["explainer"] else ""): metric["value"]
        for metric in summarise(records, OWN)["metrics"]
    }
    assert {"top1", "mutual_information_auc/pca", "own_part_count/kmeans"} < expected.keys()
    assert metrics.compute() == pytest.approx(expected, rel=1e-13)


def test_images_without_labels_have_no_accuracy() -> None:
    (record,) = make_records(groups=1)
    nothing = pa.array([None] * len(record.rows), pa.bool_())
    rows = record.rows
    for name in ("top1", "top5"):
        rows = rows.set_column(rows.column_names.index(name), name, nothing)
    metrics = live([record])
    metrics.update(explained_rows(rows))
    values = metrics.compute()
    assert "top1" not in values
    assert "mutual_information/pca" in values


def test_nothing_was_seen() -> None:
    assert live(make_records()).compute() == {}
