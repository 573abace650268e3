"""Bootstrap intervals of means over images."""

import numpy as np
import pytest
import torch

from mkbench.metrics.functional import (
    bootstrap,
    bootstrap_interval,
    bootstrap_intervals,
    paired_bootstrap_difference,
)


def values(count: int = 400) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(3.0, 2.0, count))


def test_interval_is_close_to_the_normal_one() -> None:
    # The mean of 400 normal values: mean -+ 1.96 standard errors of about 0.1. The ends of 4000 resamples scatter by
    # about 0.05 standard errors, a quarter of what is allowed.
    sample = values().numpy()
    error = 1.96 * sample.std() / 20
    interval = bootstrap_interval(values(), resamples=4000)
    assert interval == pytest.approx((sample.mean() - error, sample.mean() + error), abs=0.02)


def test_interval_matches_resampling_by_index() -> None:
    # The same draws, written as a gather of rows.
    sample = values(50)
    drawn = torch.randint(50, (200, 50), generator=torch.Generator().manual_seed(7))
    expected = np.quantile(sample[drawn].mean(1).numpy(), [0.05, 0.95])
    assert bootstrap_interval(sample, level=0.9, resamples=200, seed=7) == pytest.approx(expected, abs=1e-13)


def test_means_are_of_the_same_images_in_every_column() -> None:
    sample = torch.stack([values(50), values(50).square()], dim=1)
    drawn = torch.randint(50, (200, 50), generator=torch.Generator().manual_seed(7))
    means = bootstrap.bootstrap_means(sample, resamples=200, seed=7)
    torch.testing.assert_close(means, sample[drawn].mean(dim=1), rtol=1e-12, atol=0)


def test_columns_share_their_draws() -> None:
    sample = values()
    both = bootstrap_intervals(torch.stack([sample, 2 * sample + 1], dim=1))
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[1], 2 * both[0] + 1, rtol=1e-12, atol=0)
    assert both[0].tolist() == pytest.approx(bootstrap_interval(sample), abs=1e-12)


def test_seed_decides_and_chunks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = values(40)
    interval = bootstrap_interval(sample)
    assert bootstrap_interval(sample) == interval
    assert bootstrap_interval(sample, seed=1) != interval
    monkeypatch.setattr(bootstrap, "_DRAWS_PER_CHUNK", 40 * 30)  # 34 chunks, the last one shorter
    assert bootstrap_interval(sample) == pytest.approx(interval, abs=1e-13)


def test_higher_level_is_wider() -> None:
    narrow, wide = (bootstrap_interval(values(), level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_paired_difference_uses_the_pairs() -> None:
    # b = a - 1 up to small noise: the paired interval is narrow although a itself scatters by 2.
    first = values()
    second = first - 1 + torch.from_numpy(np.random.default_rng(3).normal(0, 0.01, 400))
    low, high = paired_bootstrap_difference(first, second)
    assert 0.99 < low < float((first - second).mean()) < high < 1.01
    backwards = paired_bootstrap_difference(second, first)
    assert backwards == pytest.approx((-high, -low), abs=1e-3)


def test_degenerate_samples() -> None:
    assert bootstrap_interval(torch.tensor([2.5])) == (2.5, 2.5)
    assert bootstrap_interval(torch.tensor([True, True])) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one image"):
        bootstrap_interval(torch.zeros(0))


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"values must be \(images,\)"):
        bootstrap_interval(torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"values must be \(images, quantities\)"):
        bootstrap_intervals(torch.zeros(2))
    with pytest.raises(ValueError, match=r"0 < level < 1 and resamples >= 1, found 95 and 1000"):
        bootstrap_interval(torch.zeros(2), level=95)
    with pytest.raises(ValueError, match=r"found 0\.95 and 0"):
        bootstrap_interval(torch.zeros(2), resamples=0)
    with pytest.raises(ValueError, match="values of the same images"):
        paired_bootstrap_difference(torch.zeros(2), torch.zeros(3))
