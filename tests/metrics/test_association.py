"""Heads with enough texts that fit their label."""

import numpy as np
import pytest
import torch

from mkbench.metrics import Association
from mkbench.metrics.functional import association


@pytest.mark.parametrize("threshold", range(1, 6))
def test_matches_numpy(threshold: int) -> None:
    fits = np.random.default_rng(threshold).random((40, 5)) > 0.5
    expected = np.count_nonzero(np.count_nonzero(fits, axis=1) > threshold - 1) / 40
    assert association(torch.from_numpy(fits), threshold=threshold) == pytest.approx(expected, abs=1e-15)
    metric = Association(threshold)
    for part in np.array_split(fits, [7, 7, 31]):
        metric.update(torch.from_numpy(part))
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-15)
    assert metric.higher_is_better is True


def test_exactly_the_threshold_is_enough() -> None:
    fits = [[True, True, True, False, False], [True, True, False, False, False]]
    assert association(fits) == 0.5
    assert association(fits, threshold=2) == 1
    assert association(fits, threshold=4) == 0


def test_all_and_none() -> None:
    assert association(torch.ones(3, 5, dtype=torch.bool)) == 1
    assert association(torch.zeros(1, 5, dtype=torch.bool)) == 0
    with pytest.raises(ValueError, match="at least one head, found none"):
        association([])
    metric = Association()
    metric.update([])
    assert torch.isnan(metric.compute())


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"fits must be bool \(heads, texts\), found \(2, 5\) torch.float32"):
        association(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"found \(5,\) torch.bool"):
        association(torch.zeros(5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"found \(2, 0\) torch.bool"):
        association(torch.zeros(2, 0, dtype=torch.bool))
    for threshold in (0, 6):
        with pytest.raises(ValueError, match=rf"threshold must lie in 1\.\.5, the number of texts, found {threshold}"):
            association(torch.zeros(2, 5, dtype=torch.bool), threshold=threshold)
