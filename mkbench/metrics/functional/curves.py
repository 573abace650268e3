"""Averages of mutual information curves over images, and the areas below them."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Average = Literal["set", "image"]
AVERAGES: tuple[Average, ...] = ("set", "image")

Curves = Tensor | Sequence[Tensor] | Sequence[Sequence[float]]


def _as_curves(curves: Curves) -> list[Tensor]:
    rows = [torch.as_tensor(curve, dtype=torch.float64) for curve in curves]
    if not rows:
        raise ValueError("expected at least one curve, found none")
    if any(row.ndim != 1 or not len(row) for row in rows):
        raise ValueError("expected curves of one dimension with at least one entry")
    return rows


def average_curves(curves: Curves) -> Tensor:
    """Mean of curves of different lengths, each padded on the right with 0 to the longest.

    0 is what the mutual information is once every concept is removed.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        curves: curves of shape (N_i + 1,), or one (B, N + 1) tensor.

    Returns:
        (longest,) float64.

    Raises:
        ValueError: without curves, or if one is empty or not one-dimensional.

    Example:
        >>> average_curves([[4.0, 2.0, 0.0], [2.0, 0.0]]).tolist()
        [3.0, 1.0, 0.0]
    """
    return pad_sequence(_as_curves(curves), batch_first=True).mean(dim=0)


def mutual_information_auc(curves: Curves, *, average: Average = "set") -> float:
    """Area under the mutual information curves of a set of images; higher is better.

    ``set`` is what the paper's tables hold: the mean of the averaged curve (:func:`average_curves`), so an image with
    few concepts is diluted by the padding. ``image`` is the mean over images of the mean of each one's own curve.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        curves: curves of shape (N_i + 1,), without padding.
        average: ``set`` or ``image``.

    Returns:
        AUC in nats.

    Raises:
        ValueError: without curves, or for an unknown average.

    Example:
        >>> curves = [[6.0, 3.0, 0.0], [2.0, 0.0]]
        >>> round(mutual_information_auc(curves), 3)  # ((6 + 2) + (3 + 0) + 0) / 2 / 3
        1.833
        >>> mutual_information_auc(curves, average="image")  # (3 + 1) / 2
        2.0
    """
    check_average(average)
    if average == "set":
        return float(average_curves(curves).mean())
    return float(torch.stack([curve.mean() for curve in _as_curves(curves)]).mean())


def check_average(average: str) -> None:
    """Refuse an unknown way of averaging.

    Args:
        average: ``set`` or ``image``.

    Raises:
        ValueError: for anything else.

    Example:
        >>> check_average("set")
    """
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}, found {average!r}")
