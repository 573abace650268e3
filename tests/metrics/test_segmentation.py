from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score, jaccard_score

from mkbench.metrics import PixelAccuracy, SegmentationAveragePrecision, SegmentationMeanIoU
from mkbench.metrics.functional import pixel_accuracy, segmentation_average_precision, segmentation_mean_iou
from mkbench.metrics.functional.segmentation import (
    accuracy_of_counts,
    image_mask_counts,
    iou_of_counts,
    mean_iou_of_counts,
)


def draw(images: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores with many ties, and a truth that they tell something of."""
    rng = np.random.default_rng(0)
    ground_truth = rng.random((images, 5, 7)) > 0.6
    scores = (0.6 * rng.random(ground_truth.shape) + 0.4 * ground_truth).round(1)
    return torch.from_numpy(scores), torch.from_numpy(ground_truth)


def test_values_by_hand() -> None:
    # Two images of 2 x 2 pixels. Of 8 pixels 5 are right. The object: 2 in both, 4 in either. The background: 3 of 6.
    masks = torch.tensor([[[True, True], [False, False]], [[True, False], [False, False]]])
    ground_truth = torch.tensor([[[True, False], [False, False]], [[True, True], [False, False]]])
    ground_truth[1, 1, 1], masks[1, 1, 0] = (
        False,
        True,
    )  # one more wrong pixel: the object is 2 of 5, the background 3 of 6
    assert pixel_accuracy(masks, ground_truth) == 5 / 8
    assert segmentation_mean_iou(masks, ground_truth) == pytest.approx((2 / 5 + 3 / 6) / 2)
    # Scores 0.8 (object) and 0.6 (background). One list: 0.8 object right, 0.6 object wrong, 0.4 background right, 0.2
    # background wrong. Precision at the right ones: 1 and 2/3.
    scores = torch.tensor([[[0.8, 0.6]]], dtype=torch.float64)
    ap = segmentation_average_precision(scores, torch.tensor([[[True, False]]]))
    torch.testing.assert_close(ap, torch.tensor([(1 + 2 / 3) / 2], dtype=torch.float64))


def test_values_are_those_of_scikit_learn() -> None:
    scores, ground_truth = draw()
    masks = scores > 0.5
    seen, true = masks.flatten().numpy(), ground_truth.flatten().numpy()
    assert pixel_accuracy(masks, ground_truth) == pytest.approx(accuracy_score(true, seen))
    assert segmentation_mean_iou(masks, ground_truth) == pytest.approx(jaccard_score(true, seen, average="macro"))
    expected = [
        average_precision_score(np.concatenate([t, ~t]), np.concatenate([s, 1 - s]))
        for s, t in zip(scores.flatten(1).numpy(), ground_truth.flatten(1).numpy(), strict=True)
    ]
    np.testing.assert_allclose(segmentation_average_precision(scores, ground_truth).numpy(), expected, rtol=1e-12)


def test_counts_of_each_image() -> None:
    scores, ground_truth = draw()
    counts = image_mask_counts(scores > 0.5, ground_truth)
    for own, mask, true in zip(counts, scores > 0.5, ground_truth, strict=True):
        assert float(accuracy_of_counts(own)) == pixel_accuracy(mask[None], true[None])
        assert float(mean_iou_of_counts(own)) == segmentation_mean_iou(mask[None], true[None])
        expected = jaccard_score(true.flatten().numpy(), mask.flatten().numpy(), average=None)
        np.testing.assert_allclose(iou_of_counts(own).numpy(), expected)
    batched = counts.view(2, 3, 2, 2)
    assert torch.equal(iou_of_counts(batched), iou_of_counts(counts).view(2, 3, 2))
    assert torch.equal(accuracy_of_counts(batched), accuracy_of_counts(counts).view(2, 3))
    assert image_mask_counts(ground_truth[:0], ground_truth[:0]).shape == (0, 2, 2)
    assert iou_of_counts(torch.tensor([[4.0, 0.0], [0.0, 0.0]])).isnan().tolist() == [False, True]


def test_the_best_the_worst_and_no_score() -> None:
    ground_truth = torch.tensor([[[True, False, False]]])
    ap = [
        float(segmentation_average_precision(s, ground_truth))
        for s in (ground_truth.double(), torch.full((1, 1, 3), 0.5))
    ]
    assert ap == [1.0, 0.5]  # with equal scores all six places count together, and half of them are right
    worst = float(segmentation_average_precision((~ground_truth).double(), ground_truth))
    assert worst == 0.5  # three wrong ones first, then all six together
    assert (pixel_accuracy(~ground_truth, ground_truth), segmentation_mean_iou(~ground_truth, ground_truth)) == (
        0.0,
        0.0,
    )
    nothing = torch.zeros_like(ground_truth)
    assert segmentation_mean_iou(nothing, nothing) == 1.0  # there is no object to average over


@pytest.mark.parametrize("cut", [[6], [1, 5], [2, 0, 4]])
def test_classes_equal_functions_however_batches_are_cut(cut: list[int]) -> None:
    scores, ground_truth = draw()
    masks = scores > 0.5
    metrics = (PixelAccuracy(), SegmentationMeanIoU(), SegmentationAveragePrecision())
    for s, m, t in zip(scores.split(cut), masks.split(cut), ground_truth.split(cut), strict=True):
        for metric, given in zip(metrics, (m, m, s), strict=True):
            metric.update(given, t)
    expected = (
        pixel_accuracy(masks, ground_truth),
        segmentation_mean_iou(masks, ground_truth),
        float(segmentation_average_precision(scores, ground_truth).mean()),
    )
    assert [float(metric.compute()) for metric in metrics] == pytest.approx(expected, abs=1e-14)
    assert all(metric.higher_is_better for metric in metrics)


def test_no_images() -> None:
    empty = torch.zeros(0, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="at least one pixel, found none"):
        pixel_accuracy(empty, empty)
    with pytest.raises(ValueError, match="at least one pixel, found none"):
        segmentation_mean_iou(empty, empty)
    for metric, given in ((PixelAccuracy(), empty), (SegmentationAveragePrecision(), empty.double())):
        metric.update(given, empty)
        assert torch.isnan(metric.compute())


def test_input_is_checked() -> None:
    ground_truth = torch.zeros(2, 4, 4, dtype=torch.bool)
    for masks in (ground_truth[:1], ground_truth.float(), ground_truth[0]):
        with pytest.raises(ValueError, match="expected bool masks and ground truth"):
            pixel_accuracy(masks, ground_truth)
    for scores in (torch.zeros(2, 4, 5), torch.zeros(4, 4)):
        with pytest.raises(ValueError, match="expected scores"):
            segmentation_average_precision(scores, ground_truth)
    with pytest.raises(ValueError, match="with pixels"):
        segmentation_average_precision(torch.zeros(2, 0, 4), ground_truth[:, :0])
    for value in (1.5, -0.1, torch.nan):
        with pytest.raises(ValueError, match=r"scores in 0\.\.1"):
            segmentation_average_precision(torch.full((2, 4, 4), value), ground_truth)
