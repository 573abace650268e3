"""Correct localisation (CorLoc): IoU of the foreground's box with a ground-truth box above 0.5."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def foreground_boxes(mask: Tensor) -> Tensor:
    """Smallest box around the foreground of each image.

    Args:
        mask: (B, H, W) bool.

    Returns:
        (B, 4) int64 (x0, y0, x1, y1), the corner pixels included; (0, 0, -1, -1), a box without pixels, for an
        empty foreground.

    Raises:
        ValueError: if the mask is not a three-dimensional bool tensor.

    Example:
        >>> mask = torch.zeros(2, 4, 5, dtype=torch.bool)
        >>> mask[0, 1, 2:4] = True
        >>> foreground_boxes(mask).tolist()
        [[2, 1, 3, 1], [0, 0, -1, -1]]
    """
    if mask.ndim != 3 or mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool (images, height, width), found {tuple(mask.shape)} {mask.dtype}")
    if mask.shape[1] == 0 or mask.shape[2] == 0:
        raise ValueError(f"mask must have pixels, found {tuple(mask.shape)}")
    ends = [_extent(mask.any(dim=axis)) for axis in (1, 2)]  # columns, then rows
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1], dim=1)


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """(B, n) bool -> first and last True; (0, -1) without one."""
    width = occupied.shape[1]
    positions = torch.arange(width, device=occupied.device)
    last = torch.where(occupied, positions, -1).amax(1)
    first = torch.where(occupied, positions, width).amin(1)
    return torch.where(last < 0, 0, first), last


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes whose corner pixels belong to them.

    The width of a box is x1 - x0 + 1, so (2, 1, 3, 1) covers two pixels.

    Args:
        boxes: (..., 4) x0, y0, x1, y1.
        others: (..., 4), broadcast against ``boxes``; ``boxes[:, None]`` and ``others[None]`` give all pairs.

    Returns:
        (...) float64 in 0..1; 0 for two boxes without pixels.

    Raises:
        ValueError: if the last dimension is not 4.

    Example:
        >>> box_iou(torch.tensor([0, 0, 1, 1]), torch.tensor([[1, 0, 2, 1], [5, 5, 6, 6]])).tolist()
        [0.3333333333333333, 0.0]
    """
    if boxes.shape[-1:] != (4,) or others.shape[-1:] != (4,):
        raise ValueError(f"boxes must be (..., 4), found {tuple(boxes.shape)} and {tuple(others.shape)}")
    a, b = boxes.double(), others.double()
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    overlap = _sides(low, high).prod(-1)
    union = _sides(a[..., :2], a[..., 2:]).prod(-1) + _sides(b[..., :2], b[..., 2:]).prod(-1) - overlap
    return torch.where(union == 0, 0.0, overlap / union)


def _sides(low: Tensor, high: Tensor) -> Tensor:
    return (high - low + 1).clamp(min=0)


def localised(predicted: Tensor, ground_truth: Tensor | Sequence[Tensor]) -> Tensor:
    """Test which images have a ground-truth box with IoU > 0.5 to the predicted box.

    Args:
        predicted: (B, 4) one box per image, corner pixels included.
        ground_truth: (B, 4) one box per image, or per image a (G_i, 4) tensor; the best box counts.

    Returns:
        (B,) bool; an image without a predicted or a true box is a miss.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> predicted = torch.tensor([[0, 0, 9, 9], [0, 0, -1, -1]])
        >>> ground_truth = [torch.tensor([[50, 50, 60, 60], [0, 0, 9, 6]]), torch.tensor([[0, 0, 9, 9]])]
        >>> localised(predicted, ground_truth).tolist()
        [True, False]
    """
    if predicted.ndim != 2 or predicted.shape[1] != 4 or len(ground_truth) != len(predicted):
        raise ValueError(
            "expected predicted boxes (images, 4) and true boxes of as many images, "
            f"found {tuple(predicted.shape)} and {len(ground_truth)}"
        )
    if isinstance(ground_truth, Tensor):
        candidates = ground_truth.to(predicted.device)[:, None]  # (images, 1, 4)
    elif not ground_truth:
        candidates = predicted.new_zeros(0, 1, 4)
    else:
        # NaN pads: its overlap with anything is NaN, which is not above 0.5.
        boxes = [torch.as_tensor(box, dtype=torch.float64).reshape(-1, 4).to(predicted.device) for box in ground_truth]
        candidates = pad_sequence(boxes, batch_first=True, padding_value=torch.nan)  # (images, boxes, 4)
    return (box_iou(predicted[:, None], candidates) > 0.5).any(dim=1)


def corloc(predicted: Tensor, ground_truth: Tensor | Sequence[Tensor]) -> float:
    """Share of images whose foreground box has IoU > 0.5 with a ground-truth box; higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.1.

    Args:
        predicted: (B, 4) from :func:`foreground_boxes`.
        ground_truth: (B, 4) one box per image, or per image a (G_i, 4) tensor; the best box counts.

    Returns:
        The share, 0..1; an image without a predicted or a true box is a miss.

    Raises:
        ValueError: without images or if the shapes do not fit.

    Example:
        >>> corloc(torch.tensor([[0, 0, 9, 9], [0, 0, -1, -1]]), torch.tensor([[0, 0, 9, 7], [2, 2, 5, 5]]))
        0.5
    """
    if not len(predicted):
        raise ValueError("expected at least one image, found none")
    return float(localised(predicted, ground_truth).double().mean())
