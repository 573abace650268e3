"""Estimators of mutual information and their closed-form curves over removals, for any batch shape."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Estimator = Literal["paper", "shannon"]
ESTIMATORS: tuple[Estimator, ...] = ("paper", "shannon")


def check_estimator(estimator: str, bank_size: int | None) -> None:
    """Refuse an unknown estimator, and ``shannon`` without the size of its sample space.

    Args:
        estimator: ``paper`` or ``shannon``.
        bank_size: descriptors in the concept bank; ``paper`` does not need it.

    Raises:
        ValueError: as said above.

    Example:
        >>> check_estimator("shannon", 4229)
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, found {estimator!r}")
    if estimator == "shannon" and (bank_size is None or bank_size < 1):
        raise ValueError(f"estimator 'shannon' needs bank_size, the number of concepts in the bank, found {bank_size}")


def _overlap_score(joint: Tensor, vision: Tensor, language: Tensor) -> Tensor:
    """Equation 9 of the paper: ln N + ln M + ln K, 0 where nothing is shared."""
    score = vision.clamp(min=1).log() + language.clamp(min=1).log() + joint.clamp(min=1).log()
    return torch.where(joint > 0, score, 0.0)


def _presence_information(joint: Tensor, vision: Tensor, language: Tensor, bank_size: int) -> Tensor:
    """Shannon information of "in D_v" and "in D_y" over the bank, from the sizes of both sets and of their overlap."""
    no_vision, no_language = bank_size - vision, bank_size - language
    cells = (
        (joint, vision, language),
        (vision - joint, vision, no_language),
        (language - joint, no_vision, language),
        (no_vision - language + joint, no_vision, no_language),
    )
    # A cell with entries has margins >= 1, so the clamp only touches the 0 * ln(0 / 0) of empty cells.
    information = torch.zeros_like(joint)
    for cell, row, column in cells:
        information = information + torch.special.xlogy(cell, cell * bank_size / (row * column).clamp(min=1))
    # Independent variables give 0 up to rounding, which may fall on the negative side.
    return (information / bank_size).clamp(min=0)


def _remaining(weights: Tensor) -> Tensor:
    """(..., K) -> (..., K + 1) float64: entry r is the sum of the weights that are left after r removals."""
    suffix_sums = weights.long().flip(-1).cumsum(-1).flip(-1)  # integers: exact on every device
    return F.pad(suffix_sums, (0, 1)).double()


def curves_from_matches(
    matches: Tensor, present: Tensor, counts: Tensor, language: Tensor, *, estimator: Estimator, bank_size: int | None
) -> Tensor:
    """Curves from what each vision id adds to the overlap and to the set of vision concepts.

    Args:
        matches: (..., K) bool or integer, most important id first: what the id adds to K, the size of the overlap.
        present: (..., K) bool, does the id add an entry to the set D_v? Only ``shannon`` reads it.
        counts: (...) integer N, which removals do not change. Only ``paper`` reads it.
        language: (...) integer M, number of language concepts.
        estimator: ``paper`` (overlap score) or ``shannon``.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Returns:
        (..., K + 1) float64 in nats, entry r after r removals.

    Raises:
        ValueError: if the estimator is unknown or lacks its bank size.

    Example:
        >>> matches = torch.tensor([2, 0])  # the first id equals two language ids: N = M = K = 2, then nothing
        >>> two = torch.tensor(2)
        >>> curve = curves_from_matches(matches, matches > 0, two, two, estimator="paper", bank_size=None)
        >>> curve.exp().round(decimals=6).tolist()
        [8.0, 1.0, 1.0]
    """
    check_estimator(estimator, bank_size)
    joint = _remaining(matches)  # (..., ids + 1)
    if bank_size is None or estimator == "paper":
        return _overlap_score(joint, counts.double()[..., None], language.double()[..., None])
    return _presence_information(joint, _remaining(present), language.double()[..., None], bank_size)


def mutual_information_curves(
    hits: Tensor, counts: Tensor, num_language: int, *, estimator: Estimator = "paper", bank_size: int | None = None
) -> Tensor:
    """Mutual information curves of many images at once, from membership look-ups.

    The vision ids of one image are distinct bank entries here. Any leading dimensions are allowed, and ``counts``
    broadcasts over them, so that one call compares every image with many classes.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        hits: (..., K) bool, most important id first: is the vision id among the language concepts?
        counts: (...) int64, how many of the K positions are filled; hits behind them are ignored.
        num_language: number of (distinct) language concepts.
        estimator: ``paper`` (overlap score) or ``shannon``, see :func:`mutual_information`.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Returns:
        (..., K + 1) float64 in nats, entry r after r removals; 0 from entry ``counts`` on.

    Raises:
        ValueError: if hits are not bool, counts do not fit, or the estimator lacks its bank size.

    Example:
        >>> hits = torch.tensor([[True, True, False], [True, False, False]])
        >>> mutual_information_curves(hits, torch.tensor([3, 1]), 2).exp().round(decimals=3).tolist()
        [[12.0, 6.0, 1.0, 1.0], [2.0, 1.0, 1.0, 1.0]]
    """
    width = hits.shape[-1]
    if hits.dtype != torch.bool:
        raise ValueError(f"hits must be bool, found {hits.dtype}")
    if counts.numel() and not 0 <= int(counts.min()) <= int(counts.max()) <= width:
        raise ValueError(f"counts must lie in 0..{width}, the width of hits")
    if bank_size is not None and estimator == "shannon" and num_language > bank_size:
        raise ValueError(f"num_language must be at most bank_size, found {num_language} of {bank_size}")
    present = torch.arange(width, device=hits.device) < counts[..., None]  # (..., K)
    language = torch.tensor(num_language, device=hits.device)
    return curves_from_matches(hits & present, present, counts, language, estimator=estimator, bank_size=bank_size)
