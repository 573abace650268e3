"""Entropy of the descriptors that name the parts of an image."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from mkbench.metrics import ConceptEntropy
from mkbench.metrics.functional import concept_entropy


def test_matches_scipy_on_counts() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 8, size=(20, 15))
    lengths = rng.integers(1, 16, size=20)
    expected = [entropy(np.bincount(row[:length])) for row, length in zip(ids, lengths, strict=True)]
    padded = np.where(np.arange(15) < lengths[:, None], ids, -1)
    np.testing.assert_allclose(concept_entropy(torch.from_numpy(padded)).numpy(), expected, atol=1e-13)


def test_hand_computed_values() -> None:
    # Five parts with the same three descriptors: ln 3. Fifteen different descriptors: ln 15.
    # A half and twice a quarter: ln 2 / 2 + 2 * ln 4 / 4 = 1.5 ln 2.
    assert float(concept_entropy([1, 2, 3] * 5)) == pytest.approx(math.log(3))
    assert float(concept_entropy(list(range(15)))) == pytest.approx(math.log(15))
    assert float(concept_entropy([4, 4, 5, 6])) == pytest.approx(1.5 * math.log(2))


def test_degenerate_images() -> None:
    values = concept_entropy(torch.tensor([[-1, -1, -1], [7, 7, 7], [7, -1, -1]]))
    assert values.dtype == torch.float64
    assert values.tolist() == [0.0, 0.0, 0.0]
    assert concept_entropy(torch.zeros(2, 0, dtype=torch.long)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="descriptor_ids must be integers"):
        concept_entropy(torch.tensor([0.5]))
    with pytest.raises(ValueError, match="descriptor_ids must be integers"):
        concept_entropy(torch.tensor(3))


def test_class_averages_over_images_however_batches_are_cut() -> None:
    ids = torch.tensor([[1, 2, 3], [1, 1, -1], [4, 4, 5]])
    expected = float(concept_entropy(ids).mean())
    for cut in ([3], [1, 2], [0, 1, 2]):
        metric = ConceptEntropy()
        for rows in ids.split(cut):
            metric.update(rows)
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-15)
    one_by_one = ConceptEntropy()
    for row in ids:
        one_by_one.update(row)
    assert float(one_by_one.compute()) == pytest.approx(expected, abs=1e-15)
    assert one_by_one.higher_is_better is None
