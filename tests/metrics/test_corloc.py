"""Boxes of the foreground and their agreement with ground truth."""

import numpy as np
import pytest
import torch
import torchvision
from scipy import ndimage

from mkbench.metrics import CorLoc
from mkbench.metrics.functional import box_iou, corloc, foreground_boxes, localised


def random_boxes(rng: np.random.Generator, count: int) -> torch.Tensor:
    corners = torch.from_numpy(rng.integers(0, 20, (count, 2, 2))).sort(dim=1).values
    return corners.reshape(count, 4)


def test_boxes_match_scipy() -> None:
    masks = torch.from_numpy(np.random.default_rng(0).random((20, 9, 13)) > 0.95)
    boxes = foreground_boxes(masks)
    for mask, box in zip(masks.numpy(), boxes.tolist(), strict=True):
        found = ndimage.find_objects(mask.astype(int))
        expected = [0, 0, -1, -1]
        if found:
            rows, columns = found[0]
            expected = [columns.start, rows.start, columns.stop - 1, rows.stop - 1]
        assert box == expected
    assert foreground_boxes(torch.zeros(1, 2, 2, dtype=torch.bool)).tolist() == [[0, 0, -1, -1]]


def test_mask_is_checked() -> None:
    with pytest.raises(ValueError, match="mask must be bool"):
        foreground_boxes(torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="mask must have pixels"):
        foreground_boxes(torch.zeros(1, 0, 2, dtype=torch.bool))


def test_iou_matches_torchvision_and_counted_pixels() -> None:
    rng = np.random.default_rng(1)
    first, second = random_boxes(rng, 12), random_boxes(rng, 9)
    iou = box_iou(first[:, None], second[None])
    inclusive = torch.tensor([0, 0, 1, 1])
    expected = torchvision.ops.box_iou((first + inclusive).double(), (second + inclusive).double())
    torch.testing.assert_close(iou, expected, rtol=1e-14, atol=0)
    images = torch.zeros(2, 20, 20, dtype=torch.bool)
    for image, (x0, y0, x1, y1) in zip(images, (first[0].tolist(), second[0].tolist()), strict=True):
        image[y0 : y1 + 1, x0 : x1 + 1] = True
    assert float(iou[0, 0]) == float((images[0] & images[1]).sum() / (images[0] | images[1]).sum().double())


def test_iou_of_boxes_without_pixels() -> None:
    empty = torch.tensor([0, 0, -1, -1])
    assert float(box_iou(empty, empty)) == 0.0
    assert float(box_iou(empty, torch.tensor([0, 0, 0, 0]))) == 0.0
    with pytest.raises(ValueError, match="boxes must be"):
        box_iou(torch.zeros(3), empty)


def test_exactly_half_is_a_miss() -> None:
    # 10 x 10 pixels against 10 x 5 inside: IoU 50 / 100 = 0.5, not above. One row more: 0.6.
    predicted = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 9]])
    assert localised(predicted, torch.tensor([[0, 0, 9, 4], [0, 0, 9, 5]])).tolist() == [False, True]


def test_best_of_several_true_boxes_counts() -> None:
    predicted = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, -1, -1], [0, 0, 0, 0]])
    far, close = [50, 50, 60, 60], [0, 0, 9, 8]
    ground_truth = [
        torch.tensor([far, close]),  # the second box meets it
        torch.tensor([far]),
        torch.tensor([far, close, [0, 0, 0, 0]]),  # no foreground: a miss whatever the truth
        torch.zeros(0, 4),  # no true box: a miss
    ]
    assert localised(predicted, ground_truth).tolist() == [True, False, False, False]
    assert corloc(predicted, ground_truth) == 0.25


def test_class_equals_function_however_batches_are_cut() -> None:
    rng = np.random.default_rng(2)
    predicted, ground_truth = random_boxes(rng, 60), random_boxes(rng, 60)
    ground_truth[::3] = predicted[::3]
    expected = corloc(predicted, ground_truth)
    assert 20 / 60 <= expected < 1
    for cut in ([60], [1, 59], [20, 0, 40]):
        metric = CorLoc()
        for boxes, true in zip(predicted.split(cut), ground_truth.split(cut), strict=True):
            metric.update(boxes, true)
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-15)
        assert metric.higher_is_better is True
    listed = CorLoc()
    listed.update(predicted, [box[None] for box in ground_truth])
    assert float(listed.compute()) == pytest.approx(expected, abs=1e-15)


def test_no_images() -> None:
    with pytest.raises(ValueError, match="at least one image, found none"):
        corloc(torch.zeros(0, 4), torch.zeros(0, 4))
    metric = CorLoc()
    metric.update(torch.zeros(0, 4), [])
    assert torch.isnan(metric.compute())


def test_counts_must_agree() -> None:
    with pytest.raises(ValueError, match="true boxes of as many images"):
        corloc(torch.zeros(2, 4), torch.zeros(1, 4))
