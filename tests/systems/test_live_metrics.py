from __future__ import annotations

import pytest
import torch

from mkbench.systems.live_metrics import LiveMetrics


def live(classes: int | None) -> LiveMetrics:
    return LiveMetrics(["pca", "kmeans"], max_concepts=4, estimator="paper", bank_size=9, classes=classes)


def test_accuracy_is_of_the_best_and_of_the_first_five() -> None:
    metrics = live(classes=7)
    # Class 6 is first once, among five once, and left out once.
    ranking = torch.tensor([[6, 0, 1, 2, 3], [0, 1, 2, 3, 6], [0, 1, 2, 3, 4]])
    metrics._update_accuracies(ranking, 6, 7)
    values = metrics.compute()
    assert (values["top1"], values["top5"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_images_without_labels_have_no_accuracy() -> None:
    stems = ("mutual_information", "mutual_information_auc", "concept_entropy")
    assert set(live(classes=None).compute()) == {f"{stem}/{name}" for stem in stems for name in ("pca", "kmeans")}
