"""Diversity of concept banks: cosines of descriptors within a class and between classes."""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.concepts.linalg import require_finite


class Diversity(NamedTuple):
    """How alike the descriptors of a bank are; lower is more diverse.

    Attributes:
        inter: mean cosine of descriptors of different classes, over pairs of classes; NaN with fewer than two.
        intra: mean cosine of different descriptors of a class, over classes; NaN if none has two.
    """

    inter: float
    intra: float


def bank_diversity(embeddings: Tensor, owners: Tensor) -> Diversity:
    r"""Compute InterDiv and IntraDiv of a bank.

    With unit rows :math:`t`, the :math:`n_c` descriptors :math:`T_c` of class :math:`c`, and :math:`C` classes,

    .. math::
        \text{IntraDiv} = \frac{1}{C} \sum_c \frac{1}{n_c (n_c - 1)} \sum_{s \ne t \in T_c} s^\top t, \qquad
        \text{InterDiv} = \frac{1}{C (C - 1)} \sum_{c \ne e} \frac{1}{n_c n_e} \sum_{s \in T_c, t \in T_e} s^\top t.

    Both come from sums of rows, without a matrix of all pairs. A descriptor that two classes share counts in both.

    Source: names after Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.4. The formulas are this
    project's reading: the appendix does not define InterDiv, and its numbers (0.23 to 0.35, lower for better banks)
    have the size and direction of mean cosines, not of a share of distinct descriptors.

    Args:
        embeddings: (T, d) unit rows, a descriptor of a class each.
        owners: (T,) int64, the class of each; classes without descriptors are left out.

    Returns:
        ``Diversity``, each in [-1, 1].

    Raises:
        ValueError: if shapes do not fit, or a value is not finite.

    Example:
        >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        >>> [round(value, 6) for value in bank_diversity(rows, torch.tensor([0, 0, 1]))]
        [0.7, 0.0]
    """
    if embeddings.ndim != 2 or owners.shape != embeddings.shape[:1]:
        raise ValueError(
            f"embeddings must be (texts, dim) and owners (texts,), found {tuple(embeddings.shape)} and "
            f"{tuple(owners.shape)}"
        )
    require_finite(embeddings, name="embeddings")
    _, places, counts = torch.unique(owners, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), embeddings.shape[1], dtype=torch.float64, device=embeddings.device)
    sums.index_add_(0, places, embeddings.double())  # (classes, dim)
    squares = torch.zeros(len(counts), dtype=torch.float64, device=embeddings.device)
    squares.index_add_(0, places, embeddings.double().square().sum(dim=1))
    several = counts > 1
    pairs = (counts * (counts - 1))[several]
    intra = (sums.square().sum(dim=1) - squares)[several] / pairs
    means = sums / counts[:, None]
    between = means.sum(dim=0).square().sum() - means.square().sum()
    classes = len(counts)
    inter = float(between) / (classes * (classes - 1)) if classes > 1 else float("nan")
    return Diversity(inter, float(intra.mean()))
