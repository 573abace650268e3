"""Concept Consistency Score (CCS): how many texts of an attention head fit its label.

Source of all definitions: Madasu et al., EMNLP 2025, arXiv 2503.11103.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.metrics.functional.association import Fits, check_fits

NUM_TEXTS = 5
MODERATE, MOST_LOW = 3, 1


class ConsistencyLevels(NamedTuple):
    """Numbers of heads by their score; heads with a score of 2 or 4 are in none.

    Attributes:
        high: heads whose five texts all fit.
        moderate: heads of which exactly three fit.
        low: heads of which at most one fits.
    """

    high: int
    moderate: int
    low: int


def concept_consistency(fits: Fits) -> Tensor:
    """Concept Consistency Score of every head: how many of its texts fit its label; higher is better.

    Args:
        fits: (S, 5) bool, whether each of the first five texts of a head fits its label.

    Returns:
        (S,) int64, 0..5; empty without heads.

    Raises:
        ValueError: if fits are not bool (heads, 5).

    Example:
        >>> concept_consistency([[True] * 5, [True, False, False, True, False]]).tolist()
        [5, 2]
    """
    table = torch.zeros(0, NUM_TEXTS, dtype=torch.bool) if not len(fits) else check_fits(fits)
    if table.shape[1] != NUM_TEXTS:
        raise ValueError(f"fits must be bool (heads, {NUM_TEXTS}), found {tuple(table.shape)} {table.dtype}")
    return table.sum(dim=1)


def _check_scores(scores: Tensor | Sequence[int]) -> Tensor:
    table = torch.as_tensor(scores)
    if table.ndim != 1 or table.is_floating_point() or not table.numel():
        raise ValueError(f"scores must be integers (heads,) of at least one head, found {tuple(table.shape)}")
    if not 0 <= int(table.min()) <= int(table.max()) <= NUM_TEXTS:
        raise ValueError(f"scores must lie in 0..{NUM_TEXTS}, found {int(table.min())}..{int(table.max())}")
    return table


def ccs_share(scores: Tensor | Sequence[int], k: int) -> float:
    """CCS@K: share of heads whose score is exactly K.

    Args:
        scores: (S,) integers of :func:`concept_consistency`.
        k: the score, 0..5.

    Returns:
        The share, 0..1; over K = 0..5 the shares add up to 1.

    Raises:
        ValueError: without heads, or for a score or K out of range.

    Example:
        >>> ccs_share([5, 2, 5, 0], 5)
        0.5
    """
    if not 0 <= k <= NUM_TEXTS:
        raise ValueError(f"k must lie in 0..{NUM_TEXTS}, found {k}")
    return float((_check_scores(scores) == k).double().mean())


def consistency_levels(scores: Tensor | Sequence[int]) -> ConsistencyLevels:
    """Count the heads of high, moderate and low consistency.

    Args:
        scores: (S,) integers of :func:`concept_consistency`.

    Returns:
        Numbers of heads with a score of 5, of 3, and of at most 1.

    Raises:
        ValueError: without heads, or for a score out of range.

    Example:
        >>> consistency_levels([5, 2, 5, 0, 1, 3])
        ConsistencyLevels(high=2, moderate=1, low=2)
    """
    table = _check_scores(scores)
    high, moderate, low = (int(of.sum()) for of in (table == NUM_TEXTS, table == MODERATE, table <= MOST_LOW))
    return ConsistencyLevels(high, moderate, low)


def concept_consistency_ratio(labels: Sequence[str], scores: Tensor | Sequence[int]) -> float:
    """CCR: how many concepts are held by more than one high-CCS head, for each high-CCS head.

    Labels of which one is the beginning of the other are one concept: a head's concept is the shortest label of a
    high-CCS head that its own begins with. A head without a label (an empty one) holds none.

    Args:
        labels: S labels, normalised by :func:`mkbench.heads.labels.normalise_label`.
        scores: (S,) integers of :func:`concept_consistency`.

    Returns:
        The ratio, 0..0.5; NaN where no head has a score of 5.

    Raises:
        ValueError: without heads, for a score out of range, or if the lengths differ.

    Example:
        >>> concept_consistency_ratio(["animal", "animals", "shape", "colour"], [5, 5, 5, 3])
        0.3333333333333333
    """
    high: list[bool] = (_check_scores(scores) == NUM_TEXTS).tolist()
    if len(labels) != len(high):
        raise ValueError(f"expected a label for each of {len(high)} scores, found {len(labels)}")
    if not any(high):
        return float("nan")
    named = [label for label, is_high in zip(labels, high, strict=True) if is_high and label]
    heads = Counter(min((other for other in named if label.startswith(other)), key=len) for label in named)
    return sum(count > 1 for count in heads.values()) / sum(high)
