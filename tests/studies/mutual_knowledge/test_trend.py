import numpy as np
import pytest
from scipy.stats import linregress

from mkbench.studies.mutual_knowledge.trend import Trend, describe_trends, fit_trend, signed


def test_line_matches_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(20, 80, 13), rng.normal(size=13)
    expected, trend = linregress(x, y), fit_trend(x.tolist(), y.tolist())
    np.testing.assert_allclose(
        [trend.slope, trend.intercept, trend.r], [expected.slope, expected.intercept, expected.rvalue], atol=1e-12
    )
    assert trend.models == 13


@pytest.mark.parametrize(("x", "y"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2])])
def test_what_does_not_vary_has_no_correlation(x, y):
    assert fit_trend(x, y) == Trend(0.0, 2.0, 0.0, 3)


@pytest.mark.parametrize(
    ("r", "verdict"),
    [(0.5, "rises"), (0.49, "does not change"), (-0.49, "does not change"), (-0.5, "falls"), (0.0, "does not change")],
)
def test_verdict(r, verdict):
    assert Trend(1.0, 0.0, r, 5).verdict == verdict


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one value per model, found 3 and 2"):
        fit_trend([1, 2, 3], [1, 2])


def test_sentence_leaves_out_explainers_without_a_line():
    falling = Trend(-1.0, 0.0, -0.714, 4)
    assert describe_trends("AUC", {"PCA": None, "K-means": falling}) == (
        "AUC falls with accuracy here (K-means: r = \u22120.71)"
    )
    assert signed(-0.004) == "0.00"
