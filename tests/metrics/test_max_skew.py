"""How far the first results favour one group."""

import math

import numpy as np
import pytest
import torch

from mkbench.metrics.functional import max_skew


def test_value_worked_out_by_hand() -> None:
    # Among the first 10: 6, 3, 1; of all 100: 50, 20, 30. Ratios .6/.5 = 1.2, .3/.2 = 1.5, .1/.3 = 0.33.
    assert float(max_skew([6, 3, 1], [50, 20, 30])) == pytest.approx(math.log(1.5), abs=1e-15)


def test_matches_numpy_over_queries() -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(60) % 4
    top = np.stack([np.bincount(rng.permutation(groups)[:20], minlength=4) for _ in range(30)])
    everything = np.bincount(groups, minlength=4)
    with np.errstate(divide="ignore"):
        expected = np.log((top / 20) / (everything / 60)).max(axis=1)
    skews = max_skew(torch.from_numpy(top), torch.from_numpy(everything))
    np.testing.assert_allclose(skews.numpy(), expected, rtol=1e-13, atol=1e-15)
    assert skews.dtype == torch.float64
    assert bool((skews >= 0).all())


def test_even_results_have_no_skew() -> None:
    assert float(max_skew([1, 2], [10, 20])) == pytest.approx(0, abs=1e-15)
    assert float(max_skew([4], [9])) == 0  # a single group
    assert float(max_skew([2, 2, 0], [3, 3, 0])) == 0  # a group that occurs nowhere
    assert float(max_skew([1, 0], [1, 99])) == pytest.approx(math.log(100), abs=1e-13)  # the upper end
    assert max_skew(torch.zeros(0, 2), torch.tensor([1, 1])).shape == (0,)


def test_wrong_counts_are_named() -> None:
    with pytest.raises(ValueError, match="nor higher among the first k than among all"):
        max_skew([3, 0], [2, 5])
    with pytest.raises(ValueError, match="must not be negative"):
        max_skew([-1, 2], [2, 5])
    with pytest.raises(ValueError, match="at least one image among the first k, found none"):
        max_skew([[1, 0], [0, 0]], [2, 5])
    with pytest.raises(ValueError, match=r"counts \(\.\.\., groups\) twice, found \(2,\) and \(3,\)"):
        max_skew([1, 0], [2, 5, 5])
