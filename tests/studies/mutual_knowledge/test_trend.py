import numpy as np
import pytest
from scipy.stats import linregress, pearsonr

from mkbench.studies.mutual_knowledge.trend import Trend, describe_trends, fit_trend, signed


def test_line_matches_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(20, 80, 13), rng.normal(size=13)
    expected, trend = linregress(x, y), fit_trend(x.tolist(), y.tolist())
    np.testing.assert_allclose(
        [trend.slope, trend.intercept, trend.r], [expected.slope, expected.intercept, expected.rvalue], atol=1e-12
    )
    assert trend.models == 13


@pytest.mark.parametrize(("x", "y"), [([1] * 5, [0, 1, 2, 3, 4]), ([1, 2, 3, 4, 5], [2] * 5)])
def test_what_does_not_vary_has_no_correlation(x, y):
    assert fit_trend(x, y) == Trend(0.0, 2.0, 0.0, 5)


@pytest.mark.parametrize(
    ("r", "models", "verdict"),
    [(0.9, 5, "rises"), (0.87, 5, None), (-0.9, 5, "falls"), (0.0, 99, None)],
)
def test_verdict_needs_an_interval_without_zero(r, models, verdict):
    # With five models 0 leaves the interval at tanh(1.96 / sqrt(2)) = 0.882.
    assert Trend(1.0, 0.0, r, models).verdict == verdict


def test_line_needs_five_models():
    assert fit_trend([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert fit_trend([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) is not None


def test_interval_of_r_is_that_of_scipy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = x + rng.normal(size=12)
    expected = pearsonr(x, y).confidence_interval()
    np.testing.assert_allclose(fit_trend(x.tolist(), y.tolist()).interval, (expected.low, expected.high), atol=1e-6)
    assert Trend(1.0, 0.0, 1.0, 9).interval[1] == pytest.approx(1.0)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one value per model, found 3 and 2"):
        fit_trend([1, 2, 3], [1, 2])


def test_sentence_leaves_out_explainers_without_a_line():
    falling = Trend(-1.0, 0.0, -0.914, 6)
    assert describe_trends("AUC", {"PCA": None, "K-means": falling}) == (
        "AUC falls with accuracy here (K-means: r = \u22120.91)"
    )
    assert signed(-0.004) == "0.00"
