"""Association: share of attention heads whose texts fit their property label."""

from collections.abc import Sequence

import torch
from torch import Tensor

Fits = Tensor | Sequence[Sequence[bool]]


def check_fits(fits: Fits) -> Tensor:
    """Bring judgements into one tensor.

    Args:
        fits: (S, T) bool, whether each of a head's T texts fits its label.

    Returns:
        (S, T) bool.

    Raises:
        ValueError: if they are not (heads, texts) of booleans.

    Example:
        >>> check_fits([[True, False]]).shape
        torch.Size([1, 2])
    """
    table = torch.as_tensor(fits)
    if table.ndim != 2 or table.dtype != torch.bool or not table.shape[1]:
        raise ValueError(f"fits must be bool (heads, texts), found {tuple(table.shape)} {table.dtype}")
    return table


def associated(fits: Fits, *, threshold: int = 3) -> Tensor:
    """Test which heads have enough texts that fit their label.

    Args:
        fits: (S, T) bool, whether each of a head's T texts fits its label.
        threshold: how many texts are enough, 1..T.

    Returns:
        (S,) bool.

    Raises:
        ValueError: if fits are not bool (heads, texts), or for a threshold out of range.

    Example:
        >>> associated([[True, True, False], [True, False, False]], threshold=2).tolist()
        [True, False]
    """
    table = check_fits(fits)
    if not 1 <= threshold <= table.shape[1]:
        raise ValueError(f"threshold must lie in 1..{table.shape[1]}, the number of texts, found {threshold}")
    return table.sum(dim=1) >= threshold


def association(fits: Fits, *, threshold: int = 3) -> float:
    """Share of heads with enough texts that fit their label; higher is better.

    The full text of the paper was not at hand: the definition is reconstructed from its summary, with the number of
    texts as a parameter.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        fits: (S, T) bool, whether each of a head's T texts (the first 5 of TEXTSPAN) fits its label; a head without a
            label has texts that do not fit.
        threshold: how many texts are enough, 1..T.

    Returns:
        The share, 0..1.

    Raises:
        ValueError: without heads, if fits are not bool (heads, texts), or for a threshold out of range.

    Example:
        >>> association([[True, True, True, False, False], [True, True, False, False, False]])
        0.5
    """
    if not len(fits):
        raise ValueError("expected the judgements of at least one head, found none")
    return float(associated(fits, threshold=threshold).double().mean())
