from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from report_runs import write_run

from mkbench.metrics.functional import cluster_bootstrap_interval
from mkbench.runs.finished_runs import Run, read_runs
from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.class_intervals import class_intervals, read_class_intervals
from mkbench.studies.mutual_knowledge.class_tables import intervals_table
from mkbench.studies.mutual_knowledge.class_values import ClassValue
from mkbench.tables import to_csv, to_markdown

AUC = "mutual_information_auc"


def run(value: float = 2.0) -> Run:
    metric = {"name": AUC, "explainer": "pca", "value": value, "interval": [1.9, 2.1]}
    return Run(Path("runs/vit"), "ViT", {"metrics": [metric]}, {})  # type: ignore[typeddict-item]


def test_interval_is_that_of_images_drawn_class_by_class() -> None:
    rng = np.random.default_rng(0)
    sizes = [3, 1, 5, 4]
    values = [rng.normal(number, 1, size) for number, size in enumerate(sizes)]
    classes = [ClassValue(str(number), 0.5, own, own) for number, own in enumerate(values)]
    (row,) = class_intervals(run(), {"pca": classes})
    labels = torch.arange(4).repeat_interleave(torch.tensor(sizes))
    expected = cluster_bootstrap_interval(torch.from_numpy(np.concatenate(values)), labels)
    found = row.over_classes[AUC]
    assert found is not None
    assert found.interval == pytest.approx(expected)
    assert row.over_images[AUC] == Estimate(2.0, (1.9, 2.1))
    assert (row.classes, row.over_classes["top1"]) == (4, None)


def test_a_single_class_says_nothing_of_others() -> None:
    (row,) = class_intervals(run(), {"pca": [ClassValue("owl", 1.0, np.ones(3), np.ones(3))]})
    assert row.over_classes[AUC] == Estimate(2.0, None)


def test_table_has_both_intervals(tmp_path: Path) -> None:
    rows = read_class_intervals(read_runs([write_run(tmp_path / "run")]))
    table = intervals_table(rows)
    text = to_markdown(table)
    assert text.splitlines()[0] == "| model | parts | metric | over images | over classes |"
    (line,) = (line for line in text.splitlines() if "| PCA | AUC ↑ |" in line)
    image, of_class = line.split("|")[4:6]
    assert image.split()[0] == of_class.split()[0]
    assert "[" in of_class
    assert to_csv(table).splitlines()[0] == (
        "model,explainer,metric,classes,value,value_low,value_high,over_classes,over_classes_low,over_classes_high"
    )
