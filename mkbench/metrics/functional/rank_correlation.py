"""Rank correlation (Spearman) of two quantities, row by row."""

import torch
from torch import Tensor


def rank_correlation(first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
    """Spearman's rank correlation within each row; equal entries share their mean rank.

    Args:
        first: (B, L).
        second: (B, L).
        valid: (B, L) bool, the entries that count.

    Returns:
        (B,) float64 in -1..1: 1 for the same order, -1 for the reverse; NaN for rows with fewer than two entries, or
        in which all entries of one quantity are equal.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> first, second = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 30.0, 20.0]])
        >>> rank_correlation(first, second, torch.ones(1, 3, dtype=torch.bool)).tolist()
        [0.5]
    """
    if first.ndim != 2 or not first.shape == second.shape == valid.shape or valid.dtype != torch.bool:
        raise ValueError(
            "expected two quantities and a bool mask of one shape (images, entries), found "
            f"{tuple(first.shape)}, {tuple(second.shape)} and {tuple(valid.shape)} {valid.dtype}"
        )
    a, b = _centred_ranks(first, valid), _centred_ranks(second, valid)
    spread = ((a * a).sum(1) * (b * b).sum(1)).sqrt()
    return torch.where(spread > 0, (a * b).sum(1) / spread, torch.nan)


def _centred_ranks(values: Tensor, valid: Tensor) -> Tensor:
    """(B, L) float64: how many valid entries are smaller minus how many are larger, halved; 0 where not valid.

    That is the mean rank minus the mean of all ranks.
    """
    both = valid[:, :, None] & valid[:, None, :]  # (images, entries, entries)
    smaller = (values[:, :, None] > values[:, None, :]) & both
    larger = (values[:, :, None] < values[:, None, :]) & both
    return (smaller.sum(2) - larger.sum(2)).double() / 2
