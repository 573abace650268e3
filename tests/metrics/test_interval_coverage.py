"""How often 95 % intervals hold the truth, simulated at n = 50."""

import numpy as np
import pytest
import torch

from mkbench.metrics.functional import bootstrap_interval, cluster_bootstrap_interval, wilson_interval

SAMPLES, SIZE = 4000, 50  # the share of hits scatters by 0.0035
pytestmark = pytest.mark.slow


def aucs(rng, size):
    """As on the bundled images: a fifth of them 0, the others around 1.5 nats."""
    return np.where(rng.random(size) < 0.2, 0.0, rng.gamma(4.0, 1.5 / 4, size))


MEANS = {
    "normal": (lambda rng, size: rng.normal(1.0, 2.0, size), 1.0),
    "uniform": (lambda rng, size: rng.random(size), 0.5),
    "auc": (aucs, 0.8 * 1.5),
}


@pytest.mark.parametrize("name", MEANS)
def test_means(name):
    draw, truth = MEANS[name]
    rng = np.random.default_rng(0)
    bounds = [bootstrap_interval(torch.from_numpy(draw(rng, SIZE)), seed=seed) for seed in range(SAMPLES)]
    assert 0.93 <= np.mean([low <= truth <= high for low, high in bounds]) <= 0.97


def test_proportions():
    # Averaged over shares: the coverage of a single one goes up and down with it.
    rng = np.random.default_rng(0)
    bounds = [wilson_interval(count, SIZE) for count in range(SIZE + 1)]
    shares = rng.uniform(0.05, 0.95, SAMPLES)
    counts = rng.binomial(SIZE, shares)
    held = [bounds[count][0] <= share <= bounds[count][1] for share, count in zip(shares, counts, strict=True)]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize(("classes", "images"), [(50, 4), (10, 5)])
def test_clusters(classes, images):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(classes), images)
    held, over_images = [], []
    for seed in range(SAMPLES):
        values = torch.from_numpy(rng.normal(0, 0.6, classes)[clusters] + rng.normal(0, 1, len(clusters)))
        low, high = cluster_bootstrap_interval(values, torch.from_numpy(clusters), seed=seed)
        held.append(low <= 0 <= high)
        low, high = bootstrap_interval(values, seed=seed)
        over_images.append(low <= 0 <= high)
    assert 0.93 <= np.mean(held) <= 0.97
    assert np.mean(over_images) < 0.92  # why intervals over images are no claim about new classes
