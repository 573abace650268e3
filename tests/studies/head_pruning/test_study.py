from __future__ import annotations

import pytest
import torch
from scipy.stats import binomtest

from mkbench.heads import PruningEffect, RandomSets
from mkbench.metrics.functional import bootstrap_interval, paired_bootstrap_difference
from mkbench.studies.head_pruning.study import score_effect


def test_scores_and_their_paired_intervals() -> None:
    rows = (
        torch.rand(5, 60, generator=torch.Generator().manual_seed(0)) < torch.tensor([0.9, 0.6, 0.8, 0.7, 0.5])[:, None]
    )
    full, pruned, *random = rows.double()
    scores = score_effect(PruningEffect(rows[0], rows[1], rows[2:], RandomSets((((0, 1),),) * 3, disjoint=True)))
    mean = torch.stack(random).mean(dim=0)  # of each image
    for name, values in {"all_heads": full, "without": pruned, "random": mean}.items():
        assert scores[name]["value"] == pytest.approx(float(values.mean()))
        share = binomtest(int(values.sum()), 60).proportion_ci(method="wilson")
        expected = bootstrap_interval(values) if name == "random" else (share.low, share.high)
        assert scores[name]["interval"] == pytest.approx(expected)
    pairs = {"change": (pruned, full), "random_change": (mean, full), "change_from_random": (pruned, mean)}
    for name, (first, second) in pairs.items():
        assert scores[name]["value"] == pytest.approx(float((first - second).mean()))
        assert scores[name]["interval"] == pytest.approx(paired_bootstrap_difference(first, second))
    accuracies = [float(row.mean()) for row in random]
    assert scores["random"]["range"] == pytest.approx([min(accuracies), max(accuracies)])
    assert [name for name in scores if "range" in scores[name]] == ["random"]
