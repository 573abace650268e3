from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from group_rows import row, write_rows
from report_runs import write_run

from mkbench.errors import DataError
from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.class_values import ClassValue, read_class_values, same_information_pairs


def value(name: str, auc: float, information: float = 2.0) -> ClassValue:
    return ClassValue(name, 0.5, np.array([information]), np.array([auc]))


def names(pairs: list[tuple[ClassValue, ClassValue]]) -> list[tuple[str, str]]:
    return [(high.name, low.name) for high, low in pairs]


def test_curves_are_padded_to_the_longest_of_the_run(tmp_path: Path) -> None:
    """Curves 3 1 0 0 and 1 0 of class 1, 2 1 0 of class 0: areas 4/4, 1/4 and 3/4."""
    first = [row("a", [3.0, 1.0, 0.0, 0.0]) | {"class_index": 1, "class_name": "bat"}]
    second = [row("b", [1.0, 0.0], top1=False) | {"class_index": 1, "class_name": "bat"}]
    write_rows(tmp_path, [row("c", [2.0, 1.0, 0.0])], key="00000-000")
    write_rows(tmp_path, first, key="00001-000")
    write_rows(tmp_path, second, key="00001-001")
    owl, bat = read_class_values(tmp_path)["pca"]
    assert (owl.name, owl.images, owl.auc.tolist()) == ("owl", 1, [0.75])
    assert (bat.name, bat.images, bat.top1) == ("bat", 2, 0.5)
    assert bat.auc.tolist() == [1.0, 0.25]
    assert bat.mutual_information.tolist() == [3.0, 1.0]
    assert owl.estimate("auc") == Estimate(0.75)  # one image has no interval
    estimate = bat.estimate("mutual_information")
    assert estimate.value == 2.0
    assert estimate.interval == (1.0, 3.0)


def test_each_explainer_has_its_own_longest_curve(tmp_path: Path) -> None:
    rows = [row("a", [2.0, 0.0, 0.0, 0.0]), row("a", [2.0, 0.0], explainer="kmeans")]
    found = read_class_values(write_rows(tmp_path, rows))
    assert [found[name][0].auc.tolist() for name in ("pca", "kmeans")] == [[0.5], [1.0]]


def test_images_without_labels_have_no_classes(tmp_path: Path) -> None:
    unlabelled = row("a", [2.0, 0.0]) | {"class_index": None, "class_name": None, "top1": None}
    assert read_class_values(write_rows(tmp_path, [unlabelled])) == {}
    assert read_class_values(tmp_path / "nowhere") == {}


def test_damaged_group_file_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    path = run / "groups" / "00001-000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="00001-000"):
        read_class_values(run)


def test_pairs_of_the_same_information() -> None:
    """The largest difference first, a class once; c has another MI than the rest."""
    classes = [value("a", 0.5), value("b", 0.9, 2.01), value("c", 0.1, 3.0), value("d", 0.6), value("e", 0.75)]
    assert names(same_information_pairs(classes)) == [("b", "a"), ("e", "d")]
    assert names(same_information_pairs(classes, most=1)) == [("b", "a")]


@pytest.mark.parametrize("classes", [[], [value("a", 0.5)], [value("a", 0.5), value("b", 0.5)]])
def test_no_pairs(classes: list[ClassValue]) -> None:
    """Without a second class, or without a difference."""
    assert same_information_pairs(classes) == []


def test_pairs_against_all_pairs() -> None:
    rng = np.random.default_rng(0)
    classes = [value(str(i), auc, mi) for i, (auc, mi) in enumerate(rng.random((40, 2)) * 2)]
    tolerance = 0.01 * np.mean([one.mean("mutual_information") for one in classes])
    best = max(
        (abs(a.mean("auc") - b.mean("auc")), {a.name, b.name})
        for a in classes
        for b in classes
        if abs(a.mean("mutual_information") - b.mean("mutual_information")) <= tolerance
    )
    ((high, low), *_) = same_information_pairs(classes)
    assert {high.name, low.name} == best[1]
    assert high.mean("auc") > low.mean("auc")
