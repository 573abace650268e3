from math import sqrt

import pytest
from scipy import stats

from mkbench.metrics.functional import wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 7), (20, 20), (0, 20), (137, 192)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_is_that_of_scipy(successes: int, trials: int, level: float) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert wilson_interval(successes, trials, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_interval_by_hand() -> None:
    # 5 of 10 with z = 1.96: centre 0.5, half width 1.96 sqrt(0.025 + 0.009604) / 1.38416.
    half = 1.959964 * sqrt(0.25 / 10 + 1.959964**2 / 400) / (1 + 1.959964**2 / 10)
    assert wilson_interval(5, 10) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_ends_stay_in_range() -> None:
    assert wilson_interval(0, 3)[0] == 0.0
    assert wilson_interval(3, 3)[1] == 1.0


def test_wrong_input_is_named() -> None:
    for successes, trials in ((1, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match=f"found {successes} of {trials}"):
            wilson_interval(successes, trials)
    with pytest.raises(ValueError, match="0 < level < 1, found 95"):
        wilson_interval(1, 2, level=95)
