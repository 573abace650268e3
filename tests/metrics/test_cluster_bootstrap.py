import math

import numpy as np
import pytest
import torch
from scipy import stats

from mkbench.metrics.functional import bootstrap_interval, cluster_bootstrap_interval
from mkbench.metrics.functional.cluster_bootstrap import expanded_tail


def clustered(classes=40, images=5, between=1.0, seed=0):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(classes), images)
    values = rng.normal(0, between, classes)[clusters] + rng.normal(0, 0.5, classes * images)
    return torch.from_numpy(values), torch.from_numpy(clusters)


def test_interval_is_that_of_class_means_by_student() -> None:
    # With classes of one size the mean over drawn classes is the mean of their means.
    values, clusters = clustered(classes=200)
    means = values.view(200, 5).mean(1).numpy()
    expected = stats.t.interval(0.95, 199, means.mean(), stats.sem(means))
    assert cluster_bootstrap_interval(values, clusters, resamples=4000) == pytest.approx(expected, abs=0.02)


def test_interval_matches_resampling_of_whole_classes() -> None:
    values, clusters = clustered(classes=12)
    values, clusters = values[3:], clusters[3:] + 7  # classes of two sizes, any numbers
    drawn = torch.randint(12, (300, 12), generator=torch.Generator().manual_seed(5))
    means = [torch.cat([values[clusters == k + 7] for k in row.tolist()]).mean().item() for row in drawn]
    tail = expanded_tail(12, 0.9)
    found = cluster_bootstrap_interval(values, clusters, level=0.9, resamples=300, seed=5)
    assert found == pytest.approx(np.quantile(means, [tail, 1 - tail]), abs=1e-12)


def test_order_of_images_does_not_matter_and_classes_widen() -> None:
    values, clusters = clustered()
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(1))
    found = cluster_bootstrap_interval(values, clusters)
    assert cluster_bootstrap_interval(values[order], clusters[order]) == pytest.approx(found, abs=1e-12)
    over_images = bootstrap_interval(values)
    assert found[1] - found[0] > 1.8 * (over_images[1] - over_images[0])  # sqrt(5 * 0.8 + ...) is about 2


def test_tail_is_that_of_student() -> None:
    for size in (2, 10, 50):
        expected = stats.norm.cdf(-math.sqrt(size / (size - 1)) * stats.t.ppf(0.975, size - 1))
        assert expanded_tail(size, 0.95) == pytest.approx(expected, rel=1e-9)


def test_degenerate_and_wrong_input() -> None:
    same = torch.zeros(4, dtype=torch.int64)
    assert all(map(math.isnan, cluster_bootstrap_interval(torch.rand(4), same)))
    assert cluster_bootstrap_interval(torch.full((4,), 2.5), torch.tensor([0, 0, 1, 1])) == (2.5, 2.5)
    with pytest.raises(ValueError, match="of the same images, at least one"):
        cluster_bootstrap_interval(torch.rand(4), same[:3])
    with pytest.raises(ValueError, match="at least one"):
        cluster_bootstrap_interval(torch.rand(0), same[:0])
    with pytest.raises(ValueError, match="0 < level < 1"):
        cluster_bootstrap_interval(torch.rand(4), same, level=95)
