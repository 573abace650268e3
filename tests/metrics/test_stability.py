import math

import numpy as np
import pytest
import torch

from mkbench.metrics import stability
from mkbench.metrics.functional import concept_overlap, flip_share, pearson_correlation


def test_overlap_is_that_of_sets() -> None:
    rng = np.random.default_rng(0)
    sets = [[list(rng.choice(12, rng.integers(0, 7), replace=False)) for _ in range(30)] for _ in range(2)]
    padded = [torch.tensor([[*row, *[-1] * (7 - len(row))] for row in rows]) for rows in sets]
    kept, jaccard = concept_overlap(*padded)
    for image, (a, b) in enumerate(zip(*([set(row) for row in rows] for rows in sets), strict=True)):
        assert kept[image] == len(a & b)
        expected = len(a & b) / len(a | b) if a | b else math.nan
        assert jaccard[image].item() == pytest.approx(expected, nan_ok=True)
    with pytest.raises(ValueError, match="of the same images"):
        concept_overlap(padded[0], padded[1][:3])


def test_correlation_is_that_of_numpy() -> None:
    first, second = np.random.default_rng(0).random((2, 40))
    expected = np.corrcoef(first, second)[0, 1]
    assert pearson_correlation(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(expected, abs=1e-14)
    assert math.isnan(pearson_correlation(torch.ones(3), torch.rand(3)))
    assert math.isnan(pearson_correlation(torch.rand(1), torch.rand(1)))
    with pytest.raises(ValueError, match="of the same images"):
        pearson_correlation(torch.rand(2), torch.rand(3))


def test_flips_are_counted_both_ways() -> None:
    assert flip_share(torch.tensor([0.0, 1.0, 0.0, 2.0]), torch.tensor([1.0, 0.0, 0.0, 3.0])) == 0.5
    assert math.isnan(flip_share(torch.zeros(0), torch.zeros(0)))
    with pytest.raises(ValueError, match="of the same images"):
        flip_share(torch.rand(2), torch.rand(3))


def test_classes_agree_with_functions() -> None:
    first, second = torch.rand(20, dtype=torch.float64), torch.rand(20, dtype=torch.float64)
    first[:5] = second[3:9] = 0
    correlation, flips = stability.AucCorrelation(), stability.AucFlips()
    for metric in (correlation, flips):
        metric.update(first[:7], second[:7])
        metric.update(first[7:], second[7:])
    assert float(correlation.compute()) == pytest.approx(pearson_correlation(first, second), abs=1e-12)
    assert float(flips.compute()) == pytest.approx(flip_share(first, second))


def test_interval_of_a_correlation_leaves_out_resamples_without_one() -> None:
    rows = {"curve": [[0.0], [4.0, 0.0], [4.0, 0.0]], "noise_auc": [0.0, 2.0, 2.0]}
    metric = stability.AucCorrelation()
    assert metric.interval(metric.update_rows(rows), rows) == pytest.approx((1.0, 1.0))
    same = {"curve": [[0.0]] * 3, "noise_auc": [0.0] * 3}
    assert metric.interval(metric.image_values(same), same) is None
