"""Segmentation metrics: pixel accuracy, mean IoU and average precision of masks and maps."""

import torch
from torch import Tensor


def mask_counts(masks: Tensor, ground_truth: Tensor) -> Tensor:
    """Count the pixels of the background (0) and the object (1) by what they are taken for.

    Args:
        masks: (B, H, W) bool, taken for the object.
        ground_truth: (B, H, W) bool, of the object.

    Returns:
        (2, 2) float64, rows the ground truth, columns the mask, over all images.

    Raises:
        ValueError: for shapes or types that do not fit.

    >>> mask_counts(torch.tensor([[[True, True, False]]]), torch.tensor([[[True, False, False]]])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return image_mask_counts(masks, ground_truth).sum(dim=0)


def image_mask_counts(masks: Tensor, ground_truth: Tensor) -> Tensor:
    """Count as ``mask_counts``, but in each image of its own: (B, 2, 2) float64.

    Raises:
        ValueError: for shapes or types that do not fit.

    >>> image_mask_counts(torch.tensor([[[True]], [[False]]]), torch.tensor([[[True]], [[True]]])).tolist()
    [[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]]
    """
    if (
        masks.ndim != 3
        or masks.shape != ground_truth.shape
        or masks.dtype != torch.bool
        or ground_truth.dtype != torch.bool
    ):
        raise ValueError(
            "expected bool masks and ground truth (images, height, width) of the same shape, found "
            f"{tuple(masks.shape)} {masks.dtype} and {tuple(ground_truth.shape)} {ground_truth.dtype}"
        )
    images = torch.arange(len(masks), device=masks.device)[:, None, None]
    places = (4 * images + 2 * ground_truth.long() + masks.long()).flatten()
    return torch.bincount(places, minlength=4 * len(masks)).view(len(masks), 2, 2).double()


def accuracy_of_counts(counts: Tensor) -> Tensor:
    """Share of the pixels that are taken for what they are, (...), from ``mask_counts`` (..., 2, 2); NaN without any.

    >>> accuracy_of_counts(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    tensor(0.6667)
    """
    return counts.diagonal(dim1=-2, dim2=-1).sum(dim=-1) / counts.sum(dim=(-2, -1))


def iou_of_counts(counts: Tensor) -> Tensor:
    """Intersection over union of background and object, (..., 2), from ``mask_counts`` (..., 2, 2).

    NaN for what neither the ground truth nor the masks have anywhere.

    >>> iou_of_counts(torch.tensor([[1.0, 1.0], [0.0, 3.0]]))
    tensor([0.5000, 0.7500])
    """
    overlap = counts.diagonal(dim1=-2, dim2=-1)
    return overlap / (counts.sum(dim=-2) + counts.sum(dim=-1) - overlap)


def mean_iou_of_counts(counts: Tensor) -> Tensor:
    """Intersection over union, averaged over background and object, (...), from ``mask_counts`` (..., 2, 2).

    What neither the ground truth nor the masks have anywhere is left out of the average; NaN without pixels.

    >>> mean_iou_of_counts(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    tensor(0.5000)
    """
    return iou_of_counts(counts).nanmean(dim=-1)


def pixel_accuracy(masks: Tensor, ground_truth: Tensor) -> float:
    """Share of all pixels that are taken for what they are, object or background; higher is better.

    Source: the segmentation of Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Args:
        masks: (B, H, W) bool, taken for the object.
        ground_truth: (B, H, W) bool, of the object.

    Returns:
        The share, 0..1.

    Raises:
        ValueError: without pixels, or for shapes or types that do not fit.

    Example:
        >>> pixel_accuracy(torch.tensor([[[True, False]]]), torch.tensor([[[True, True]]]))
        0.5
    """
    return float(accuracy_of_counts(_counted(masks, ground_truth)))


def segmentation_mean_iou(masks: Tensor, ground_truth: Tensor) -> float:
    """Intersection over union of the pixels of all images, averaged over background and object; higher is better.

    Intersections and unions are summed over the images before they are divided, as in published tables.

    Source: the segmentation of Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Args:
        masks: (B, H, W) bool, taken for the object.
        ground_truth: (B, H, W) bool, of the object.

    Returns:
        The mean, 0..1. What neither the ground truth nor the masks have anywhere is left out of it.

    Raises:
        ValueError: without pixels, or for shapes or types that do not fit.

    Example:
        >>> segmentation_mean_iou(torch.tensor([[[True, True, False]]]), torch.tensor([[[True, False, False]]]))
        0.5
    """
    return float(mean_iou_of_counts(_counted(masks, ground_truth)))


def _counted(masks: Tensor, ground_truth: Tensor) -> Tensor:
    counts = mask_counts(masks, ground_truth)
    if not counts.sum():
        raise ValueError("expected at least one pixel, found none")
    return counts


def segmentation_average_precision(scores: Tensor, ground_truth: Tensor) -> Tensor:
    """Average precision of the pixels of each image; its mean over images is the mAP of published tables.

    Every pixel is ranked twice, as object by its score s and as background by 1 - s, and both rankings are one list:
    AP = sum_i (R_i - R_{i-1}) P_i over its distinct scores, with precision P and recall R of all that score at least
    as high.

    Source: the segmentation of Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), table 2.

    Args:
        scores: (B, H, W) in 0..1, higher for the object.
        ground_truth: (B, H, W) bool, of the object.

    Returns:
        (B,) float64 in 0..1, higher is better.

    Raises:
        ValueError: for shapes that do not fit, no pixels, or scores outside 0..1.

    Example:
        >>> segmentation_average_precision(torch.tensor([[[0.9, 0.2]]]), torch.tensor([[[True, False]]]))
        tensor([1.], dtype=torch.float64)
    """
    if (
        scores.ndim != 3
        or scores.shape != ground_truth.shape
        or ground_truth.dtype != torch.bool
        or 0 in scores.shape[1:]
    ):
        raise ValueError(
            "expected scores (images, height, width) with pixels and a bool ground truth of the same shape, found "
            f"{tuple(scores.shape)} and {tuple(ground_truth.shape)} {ground_truth.dtype}"
        )
    if not bool(((scores >= 0) & (scores <= 1)).all()):
        raise ValueError("expected scores in 0..1, found others")
    values = scores.double().flatten(1)  # (images, pixels)
    ranked, order = torch.cat([values, 1 - values], dim=1).sort(dim=1, descending=True, stable=True)
    right = torch.cat([ground_truth.flatten(1), ~ground_truth.flatten(1)], dim=1).gather(1, order)
    found = right.cumsum(dim=1)
    places = torch.arange(ranked.shape[1], device=scores.device)
    # Equal scores count together: each place looks at the last place of its score.
    ends = torch.ones_like(right)
    ends[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    last = torch.where(ends, places, ranked.shape[1]).flip(1).cummin(dim=1).values.flip(1)
    precision = found.gather(1, last).double() / (last + 1)
    return (precision * right).sum(dim=1) / right.sum(dim=1)
