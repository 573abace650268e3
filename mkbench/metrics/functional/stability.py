"""Stability of explanations: do an image's concepts and its AUC stay when it is explained again?"""

from typing import NamedTuple

from torch import Tensor


class ConceptOverlap(NamedTuple):
    """How the concept sets of two explanations of the same images overlap, (B,) each.

    Attributes:
        kept: int64, concepts of the first that the second has too.
        jaccard: float64, concepts in both over concepts in either, 0..1; NaN where neither has any.
    """

    kept: Tensor
    jaccard: Tensor


def concept_overlap(first_ids: Tensor, second_ids: Tensor) -> ConceptOverlap:
    """Compare the concept sets of two explanations of the same images.

    Args:
        first_ids: (B, K) int64 distinct concepts of every image, padded with -1.
        second_ids: (B, Q) int64 those of the second explanation.

    Returns:
        The overlap of each image.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> import torch
        >>> kept, jaccard = concept_overlap(torch.tensor([[4, 7, 9]]), torch.tensor([[9, 4, 2, -1]]))
        >>> kept.tolist(), jaccard.tolist()
        ([2], [0.5])
    """
    if first_ids.ndim != 2 or second_ids.ndim != 2 or len(first_ids) != len(second_ids):
        raise ValueError(
            "expected the concepts (images, concepts) of the same images, found "
            f"{tuple(first_ids.shape)} and {tuple(second_ids.shape)}"
        )
    equal = (first_ids[:, :, None] == second_ids[:, None, :]) & (first_ids >= 0)[:, :, None]
    kept = equal.sum(dim=(1, 2))
    either = (first_ids >= 0).sum(dim=1) + (second_ids >= 0).sum(dim=1) - kept
    return ConceptOverlap(kept, kept.double() / either)


def pearson_correlation(first: Tensor, second: Tensor) -> float:
    """Pearson's correlation of two values of the same images.

    Args:
        first: (n,) such as the AUC of every image.
        second: (n,) such as its AUC when it is explained again.

    Returns:
        A number in -1..1; NaN for fewer than two images, or where one of them is the same for all images.

    Raises:
        ValueError: if the two do not have the same shape (images,).

    Example:
        >>> import torch
        >>> pearson_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]))
        1.0
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected values of the same images, found {tuple(first.shape)} and {tuple(second.shape)}")
    a, b = (values.double() - values.double().mean() for values in (first, second))
    return float(((a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()).clamp(-1, 1))


def flip_share(first: Tensor, second: Tensor) -> float:
    """Share of images whose value changes between 0 and above.

    Args:
        first: (n,) such as the AUC of every image.
        second: (n,) such as its AUC when it is explained again.

    Returns:
        A share in 0..1; NaN without images.

    Raises:
        ValueError: if the two do not have the same shape (images,).

    Example:
        >>> import torch
        >>> flip_share(torch.tensor([0.0, 1.2, 0.0, 2.0]), torch.tensor([0.0, 1.1, 0.8, 3.0]))
        0.25
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected values of the same images, found {tuple(first.shape)} and {tuple(second.shape)}")
    return float(((first > 0) != (second > 0)).double().mean())
