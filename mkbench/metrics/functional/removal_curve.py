"""Area under removal curves, shared by deletion, insertion, accuracy drop and accuracy increase."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Scale = Literal["mean", "sum"]
SCALES: tuple[Scale, ...] = ("mean", "sum")

RemovalCurves = Tensor | Sequence[Tensor] | Sequence[Sequence[float]] | Sequence[float]


def pad_removal_curves(curves: RemovalCurves, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Bring removal curves into one padded tensor.

    Args:
        curves: (S + 1,) one curve, (B, S + 1) a batch, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch, parts + 1; default: all of them.

    Returns:
        (B, S + 1) float64 curves, 0 behind their end, and (B,) int64 lengths.

    Raises:
        ValueError: without curves in a list, or if a curve has no entry or the lengths do not fit.

    Example:
        >>> padded, lengths = pad_removal_curves([[1.0, 0.5], [0.8]])
        >>> padded.tolist(), lengths.tolist()
        ([[1.0, 0.5], [0.8, 0.0]], [2, 1])
    """
    if not isinstance(curves, Tensor):
        rows = [torch.as_tensor(curve, dtype=torch.float64) for curve in curves]
        if not rows or lengths is not None:
            raise ValueError("a list of curves needs at least one curve and takes no lengths")
        if all(row.ndim == 0 for row in rows):  # a list of numbers is one curve
            rows = [torch.stack(rows)]
        lengths = torch.tensor([row.numel() for row in rows], device=rows[0].device)
        curves = pad_sequence(rows, batch_first=True)
    batch = (curves if curves.ndim != 1 else curves[None]).double()
    if lengths is None:
        lengths = torch.full((len(batch),), batch.shape[1], device=batch.device)
    if batch.ndim != 2 or lengths.shape != batch.shape[:1]:
        raise ValueError(
            "expected curves (images, steps + 1) and lengths (images,), "
            f"found {tuple(batch.shape)} and {tuple(lengths.shape)}"
        )
    if lengths.numel() and not 1 <= int(lengths.min()) <= int(lengths.max()) <= batch.shape[1]:
        raise ValueError(f"lengths must lie in 1..{batch.shape[1]}, the width of the curves")
    own = torch.arange(batch.shape[1], device=batch.device) < lengths[:, None]
    return torch.where(own, batch, 0.0), lengths


def curve_mean(curves: RemovalCurves, lengths: Tensor | None = None) -> Tensor:
    """Mean over the steps of each curve, both ends included.

    Args:
        curves: (B, S + 1), one curve, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch.

    Returns:
        (B,) float64 in the curve's unit.

    Raises:
        ValueError: as :func:`pad_removal_curves`.

    Example:
        >>> curve_mean([[3.0, 2.0, 1.0], [4.0, 0.0]]).tolist()
        [2.0, 2.0]
    """
    padded, lengths = pad_removal_curves(curves, lengths)
    return padded.sum(1) / lengths


def curve_sum(curves: RemovalCurves, lengths: Tensor | None = None) -> Tensor:
    """Trapezoid sum of each curve with step 1: a constant curve c over L removals gives c * L.

    Args:
        curves: (B, S + 1), one curve, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch.

    Returns:
        (B,) float64; 0 for a curve of one entry (an image without parts).

    Raises:
        ValueError: as :func:`pad_removal_curves`.

    Example:
        >>> curve_sum([[3.0, 2.0, 1.0], [4.0, 0.0]]).tolist()
        [4.0, 2.0]
    """
    padded, lengths = pad_removal_curves(curves, lengths)
    last = padded.gather(1, lengths[:, None] - 1)[:, 0]
    return padded.sum(1) - (padded[:, 0] + last) / 2


def reduce_curves(curves: RemovalCurves, lengths: Tensor | None = None, *, scale: Scale = "mean") -> Tensor:
    """Reduce each removal curve to one number on the chosen scale.

    Args:
        curves: (B, S + 1), one curve, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch.
        scale: ``mean`` (:func:`curve_mean`) or ``sum`` (:func:`curve_sum`).

    Returns:
        (B,) float64.

    Raises:
        ValueError: for an unknown scale, or as :func:`pad_removal_curves`.

    Example:
        >>> reduce_curves(torch.tensor([[3.0, 2.0, 1.0]]), scale="sum").tolist()
        [4.0]
    """
    check_scale(scale)
    return curve_mean(curves, lengths) if scale == "mean" else curve_sum(curves, lengths)


def check_scale(scale: str) -> None:
    """Refuse an unknown scale.

    Args:
        scale: ``mean`` or ``sum``.

    Raises:
        ValueError: for anything else.

    Example:
        >>> check_scale("sum")
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, found {scale!r}")


def set_mean(curves: RemovalCurves, lengths: Tensor | None = None, *, scale: Scale = "mean") -> float:
    """Mean over a set of images of each one's own reduced curve; images with fewer parts are not padded.

    Args:
        curves: (B, S + 1), one curve, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch.
        scale: ``mean`` or ``sum``.

    Returns:
        The mean.

    Raises:
        ValueError: without images, for an unknown scale, or as :func:`pad_removal_curves`.

    Example:
        >>> set_mean([[3.0, 2.0, 1.0], [1.0, 0.0]])
        1.25
    """
    values = reduce_curves(curves, lengths, scale=scale)
    if not values.numel():
        raise ValueError("expected the curve of at least one image, found none")
    return float(values.mean())


def average_removal_curve(curves: RemovalCurves, lengths: Tensor | None = None) -> Tensor:
    """Mean curve for a figure: every step is averaged over the images that have this step.

    Unlike a mutual information curve, a score curve does not end at 0, so it is not padded with 0.

    Args:
        curves: (B, S + 1), one curve, or a list of curves of different lengths.
        lengths: (B,) int64 entries of each curve of a batch.

    Returns:
        (longest,) float64.

    Raises:
        ValueError: as :func:`pad_removal_curves`.

    Example:
        >>> average_removal_curve([[3.0, 2.0, 1.0], [1.0, 0.0]]).tolist()
        [2.0, 1.0, 1.0]
    """
    padded, lengths = pad_removal_curves(curves, lengths)
    longest = int(lengths.max()) if lengths.numel() else 0
    images = (torch.arange(longest, device=padded.device) < lengths[:, None]).sum(0)
    return padded[:, :longest].sum(0) / images
