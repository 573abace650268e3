"""Segmentation scores of patch maps: pixel accuracy, mIoU and average precision of every image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.heads.segmentation import segment
from mkbench.metrics.functional.segmentation import image_mask_counts, iou_of_counts, segmentation_average_precision


class MapScores(NamedTuple):
    """Segmentation scores of the maps of B images, each number the mean over the maps of an image.

    Attributes:
        counts: (B, 2, 2) float64, pixels by ground truth (rows) and by what they are taken for, background first.
        iou: (B, 2) float64, of background and object; NaN for what neither ground truth nor mask has.
        average_precision: (B,) float64.
        flat: (B,) bool, whether a map of the image has no contrast, so that no object is cut out.
    """

    counts: Tensor
    iou: Tensor
    average_precision: Tensor
    flat: Tensor

    @staticmethod
    def concatenate(parts: Sequence["MapScores"]) -> "MapScores":
        """Join the scores of batches of images."""
        return MapScores(*(torch.cat(values) for values in zip(*parts, strict=True)))


def score_maps(maps: Tensor, ground_truth: Tensor, patch_size: int | None = None) -> MapScores:
    """Cut the object out of maps and compare it with the true one.

    Args:
        maps: (B, R, h, w), R maps of each image.
        ground_truth: (B, S, S) bool, the true object, in the geometry of the image.
        patch_size: side of a patch, in pixels; see :func:`segment`.

    Raises:
        ValueError: for shapes that do not fit, or no map.

    >>> scores = score_maps(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[False, True], [True, True]]]))
    >>> scores.counts.tolist(), scores.flat.tolist()
    ([[[1.0, 0.0], [1.0, 2.0]]], [False])
    """
    if maps.ndim != 4 or not maps.shape[1] or ground_truth.ndim != 3 or len(ground_truth) != len(maps):
        raise ValueError(
            f"Expected maps (B, R, h, w) and ground truth (B, S, S), got {tuple(maps.shape)} and "
            f"{tuple(ground_truth.shape)}."
        )
    each = [_score(own, ground_truth, patch_size) for own in maps.unbind(dim=1)]  # ranking all takes memory
    counts, iou, precision, flat = (torch.stack(values) for values in zip(*each, strict=True))
    return MapScores(counts.mean(dim=0), iou.mean(dim=0), precision.mean(dim=0), flat.any(dim=0))


def _score(maps: Tensor, ground_truth: Tensor, patch_size: int | None) -> MapScores:
    found = segment(maps.double(), ground_truth.shape[-1], patch_size)
    counts = image_mask_counts(found.masks, ground_truth)
    flat = ~(found.scores > 0).flatten(1).any(dim=1)
    return MapScores(counts, iou_of_counts(counts), segmentation_average_precision(found.scores, ground_truth), flat)
