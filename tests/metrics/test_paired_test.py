import math

import numpy as np
import pytest
import torch
from scipy import stats

from mkbench.metrics.functional import holm_adjusted, paired_p_value


@pytest.mark.parametrize("images", [2, 5, 100])
def test_p_value_is_that_of_scipy(images: int) -> None:
    rng = np.random.default_rng(images)
    first, second = rng.normal(0.2, 1, images), rng.normal(0, 1, images)
    expected = stats.ttest_rel(first, second).pvalue
    assert paired_p_value(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(expected, rel=1e-10)


def test_degenerate_pairs() -> None:
    ones = torch.ones(3)
    assert paired_p_value(ones, ones) == 1.0
    assert paired_p_value(ones, ones - 1) == 0.0
    assert math.isnan(paired_p_value(ones[:1], ones[:1]))
    with pytest.raises(ValueError, match="of the same images"):
        paired_p_value(ones, ones[:2])


def test_holm_by_hand() -> None:
    # Ranked 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04, and the last is raised to 0.06.
    adjusted = holm_adjusted([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([0.6, 0.9]) == [1.0, 1.0]
    assert holm_adjusted([]) == []
    assert holm_adjusted([0.02]) == [0.02]


def test_what_has_no_p_value_does_not_count() -> None:
    first, none, second = holm_adjusted([0.01, math.nan, 0.04])
    assert (first, second) == pytest.approx((0.02, 0.04))
    assert math.isnan(none)
    with pytest.raises(ValueError, match=r"p-values in 0\.\.1"):
        holm_adjusted([0.5, 1.5])
