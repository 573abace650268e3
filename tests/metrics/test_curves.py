"""Averages and areas of ragged curves."""

import numpy as np
import pytest
import torch

from mkbench.metrics.functional import average_curves, mutual_information_auc
from mkbench.metrics.functional.curves import curve_statistics

RAGGED = [[6.0, 3.0, 0.0], [2.0, 0.0], [0.0], [7.0, 7.0, 4.0, 0.0]]


def test_average_matches_numpy_on_padded_rows() -> None:
    padded = np.zeros((4, 4))
    for row, curve in zip(padded, RAGGED, strict=True):
        row[: len(curve)] = curve
    average = average_curves([torch.tensor(curve) for curve in RAGGED])
    assert average.dtype == torch.float64
    np.testing.assert_allclose(average.numpy(), padded.mean(0), rtol=1e-15)
    assert mutual_information_auc(RAGGED) == pytest.approx(padded.mean(), rel=1e-15)
    own = np.mean([np.mean(curve) for curve in RAGGED])
    assert mutual_information_auc(RAGGED, average="image") == pytest.approx(own, rel=1e-15)


def test_one_tensor_is_a_batch_of_curves() -> None:
    assert average_curves(torch.tensor([[4.0, 0.0], [2.0, 0.0]])).tolist() == [3.0, 0.0]


def test_degenerate_curves_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one curve, found none"):
        average_curves([])
    with pytest.raises(ValueError, match="at least one entry"):
        average_curves([[1.0], []])
    with pytest.raises(ValueError, match="one dimension"):
        average_curves([torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="average must be one of set, image, found 'both'"):
        mutual_information_auc(RAGGED, average="both")  # type: ignore[arg-type]


def test_statistics_ignore_what_lies_behind_a_curve() -> None:
    curves = torch.tensor([[4.0, 2.0, 99.0], [3.0, 99.0, 99.0]])
    statistics = curve_statistics(curves, torch.tensor([1, 0]), max_concepts=4)
    assert statistics.curve_sum.tolist() == [7.0, 2.0, 0.0, 0.0, 0.0]
    assert statistics.auc_sum.item() == 3.0 + 3.0  # (4 + 2) / 2 and 3 / 1
    assert (statistics.images.item(), statistics.longest.item()) == (2.0, 1.0)


def test_statistics_refuse_what_does_not_fit() -> None:
    curves = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="expected curves"):
        curve_statistics(curves, torch.tensor([1]), max_concepts=4)
    with pytest.raises(ValueError, match="below the width of the curves, 3, found 3"):
        curve_statistics(curves, torch.tensor([1, 3]), max_concepts=4)
