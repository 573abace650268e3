"""Averages and areas of ragged curves."""

import numpy as np
import pytest
import torch

from mkbench.metrics import MutualInformationAUC
from mkbench.metrics.curves import pad_curves, pad_known_curves
from mkbench.metrics.functional import average_curves, mutual_information_auc
from mkbench.metrics.functional.curves import Average

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


def test_column_of_curves_is_padded_and_none_has_no_value() -> None:
    padded, lengths = pad_curves([[6.0, 3.0, 0.0], None, [0.0]])
    assert lengths.tolist() == [3, 1, 1]
    assert padded[0].tolist() == [6.0, 3.0, 0.0]
    assert padded[2].tolist() == [0.0, 0.0, 0.0]
    assert padded[1].isnan().any()
    assert pad_curves([])[0].shape == (0, 0)


def test_known_curves_are_those_that_are_there_even_where_they_say_nan() -> None:
    padded, lengths = pad_known_curves([None, [2.0, 0.0], [float("nan")], None])
    assert lengths.tolist() == [2, 1]
    assert padded[0].tolist() == [2.0, 0.0]
    assert padded[1, 0].isnan()
    assert pad_known_curves([None])[0].shape == (0, 1)


@pytest.mark.parametrize("average", ["set", "image"])
@pytest.mark.parametrize("cut", [[4], [1, 3], [2, 0, 2]])
def test_area_of_rows_is_that_of_the_function_however_they_are_cut(average: Average, cut: list[int]) -> None:
    metric, start = MutualInformationAUC(average), 0
    for count in cut:
        metric.update_rows({"curve": RAGGED[start : start + count]})
        start += count
    assert float(metric.compute()) == pytest.approx(mutual_information_auc(RAGGED, average=average), rel=1e-14)
