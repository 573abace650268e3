"""Deletion, insertion, accuracy drop and accuracy increase, which share their arithmetic."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mkbench.metrics import AccuracyDrop, AccuracyIncrease, Deletion, Insertion
from mkbench.metrics.functional import (
    accuracy_drop,
    accuracy_increase,
    average_removal_curve,
    curve_mean,
    curve_sum,
    deletion,
    insertion,
)
from mkbench.metrics.functional.removal_curve import Scale
from mkbench.metrics.removal_curve import RemovalMetric

Pair = tuple[type[RemovalMetric], Callable[..., float], bool]
PAIRS: list[Pair] = [
    (Deletion, deletion, False),
    (Insertion, insertion, True),
    (AccuracyDrop, accuracy_drop, False),
    (AccuracyIncrease, accuracy_increase, True),
]


def ragged_curves() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.random(length) for length in (6, 6, 4, 1, 2)]


def padded_curves() -> tuple[torch.Tensor, torch.Tensor]:
    """The same curves with rubbish behind their ends."""
    padded, lengths = torch.full((5, 6), 50.0, dtype=torch.float64), torch.tensor([6, 6, 4, 1, 2])
    for row, curve in zip(padded, ragged_curves(), strict=True):
        row[: len(curve)] = torch.from_numpy(curve)
    return padded, lengths


def test_reductions_match_numpy() -> None:
    curves = ragged_curves()
    rows = [torch.from_numpy(curve) for curve in curves]
    np.testing.assert_allclose(curve_mean(rows).numpy(), [curve.mean() for curve in curves], rtol=1e-14)
    trapezoid = [((curve[1:] + curve[:-1]) / 2).sum() for curve in curves]
    np.testing.assert_allclose(curve_sum(rows).numpy(), trapezoid, rtol=1e-13, atol=1e-15)
    padded, lengths = padded_curves()
    torch.testing.assert_close(curve_mean(padded, lengths), curve_mean(rows), rtol=1e-13, atol=1e-15)  # another order
    torch.testing.assert_close(curve_sum(padded, lengths), curve_sum(rows), rtol=1e-13, atol=1e-15)


def test_hand_computed_curve() -> None:
    # 0.75, 0.5, 0.25: mean 0.5; trapezoids (0.75 + 0.5) / 2 + (0.5 + 0.25) / 2 = 1.
    assert deletion([[0.75, 0.5, 0.25]]) == 0.5
    assert deletion([[0.75, 0.5, 0.25]], scale="sum") == 1.0
    # A list of numbers is one curve.
    assert deletion([0.75, 0.5, 0.25]) == 0.5


def test_score_of_five_equal_steps_is_on_the_papers_scale() -> None:
    # A class score of 0.5 that no removal changes: 0.5 on the mean, 5 * 0.5 = 2.5 on the sum over five steps.
    curve = torch.full((1, 6), 0.5)
    assert deletion(curve) == 0.5
    assert deletion(curve, scale="sum") == 2.5


def test_images_with_fewer_parts_weigh_the_same() -> None:
    # Own means 1 and 0.5, averaged 0.75; pooling all steps would give (3 + 0.5) / 4.
    assert insertion([[1.0, 1.0, 1.0], [0.5]]) == 0.75


def test_average_curve_is_over_the_images_that_have_the_step() -> None:
    padded, lengths = padded_curves()
    curves = ragged_curves()
    expected = [np.mean([curve[step] for curve in curves if len(curve) > step]) for step in range(6)]
    np.testing.assert_allclose(average_removal_curve(padded, lengths).numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__name__)
def test_class_equals_function_however_batches_are_cut(pair: Pair, scale: Scale) -> None:
    cls, function, higher_is_better = pair
    padded, lengths = padded_curves()
    expected = function(padded, lengths, scale=scale)
    for cut in ([5], [2, 3], [0, 4, 1]):
        metric = cls(scale)
        for rows, ends in zip(padded.split(cut), lengths.split(cut), strict=True):
            metric.update(rows, ends)
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-14)
    one_by_one = cls(scale)
    for curve in ragged_curves():
        one_by_one.update(torch.from_numpy(curve))
    assert float(one_by_one.compute()) == pytest.approx(expected, abs=1e-14)
    assert one_by_one.higher_is_better is higher_is_better
    assert one_by_one.full_state_update is False


def test_correctness_may_be_bool() -> None:
    # Four images, right on 2, 1, 0 and 3 of 3 images: (2 + 1 + 0 + 3) / 12.
    right = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], dtype=torch.bool)
    assert accuracy_drop(right) == 0.5
    metric = AccuracyDrop()
    metric.update(right)
    assert metric.compute() == 0.5


def test_wrong_input_is_named() -> None:
    curves = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="scale must be one of mean, sum, found 'area'"):
        deletion(curves, scale="area")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scale must be one of mean, sum, found 'area'"):
        Deletion("area")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one image, found none"):
        deletion(curves[:0])
    with pytest.raises(ValueError, match="at least one curve"):
        deletion([])
    with pytest.raises(ValueError, match=r"lengths must lie in 1\.\.3"):
        deletion(curves, torch.tensor([3, 4]))
    with pytest.raises(ValueError, match=r"lengths must lie in 1\.\.3"):
        deletion(curves, torch.tensor([3, 0]))
    with pytest.raises(ValueError, match="expected curves"):
        deletion(curves, torch.tensor([3]))


def test_no_images_give_nan() -> None:
    metric = Deletion()
    metric.update(torch.zeros(0, 4))
    assert torch.isnan(metric.compute())
    assert average_removal_curve(torch.zeros(0, 4)).tolist() == []
