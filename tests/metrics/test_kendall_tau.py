import math

import numpy as np
import pytest
import torch
from scipy import stats

from mkbench.metrics.functional import kendall_tau, kendall_tau_interval


def test_tau_is_that_of_scipy_with_and_without_ties() -> None:
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.random((20, 7)), rng.integers(0, 4, (20, 7))])
    second = np.concatenate([rng.random((20, 7)), rng.integers(0, 4, (20, 7))])
    expected = [stats.kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)]
    found = kendall_tau(torch.from_numpy(first), torch.from_numpy(second))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_all_tied_or_one_model_has_none() -> None:
    assert math.isnan(kendall_tau(torch.ones(4), torch.arange(4.0)))
    assert math.isnan(kendall_tau(torch.ones(1), torch.ones(1)))
    assert all(map(math.isnan, kendall_tau_interval(torch.ones(5, 3), torch.rand(5, 3))))


def test_equal_shares_that_round_differently_tie() -> None:
    means = torch.tensor([0.1 + 0.7, 0.8, 1.5], dtype=torch.float64)
    assert means[0] != means[1]
    # Two of three pairs are told apart, and the other score orders all three: 2 / sqrt(2 * 3).
    assert kendall_tau(means, torch.tensor([1.0, 2.0, 3.0])) == pytest.approx(2 / math.sqrt(6))


def test_interval_is_over_images() -> None:
    rng = np.random.default_rng(1)
    first, second = (torch.from_numpy(rng.normal(np.arange(5) * 0.1, 1, (60, 5))) for _ in range(2))
    drawn = torch.randint(60, (200, 60), generator=torch.Generator().manual_seed(3))
    taus = [stats.kendalltau(first[row].mean(0), second[row].mean(0)).statistic for row in drawn]
    found = kendall_tau_interval(first, second, resamples=200, seed=3)
    assert found == pytest.approx(np.quantile(taus, [0.025, 0.975]), abs=1e-12)
    # Models far apart keep their order in every resample.
    apart = first + 100 * torch.arange(5)
    assert kendall_tau_interval(apart, apart) == (1.0, 1.0)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="of the same models"):
        kendall_tau(torch.rand(3), torch.rand(4))
    with pytest.raises(ValueError, match=r"\(images, models\) with at least one image"):
        kendall_tau_interval(torch.rand(0, 3), torch.rand(0, 3))
    with pytest.raises(ValueError, match="0 < level < 1"):
        kendall_tau_interval(torch.rand(2, 3), torch.rand(2, 3), level=0)
