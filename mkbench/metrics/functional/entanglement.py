"""Entanglement: share of attention heads that share their property label with another head."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from mkbench.metrics.functional.bootstrap import check_resampling, draw_counts

Mode = Literal["earlier", "any"]
MODES: tuple[Mode, ...] = ("earlier", "any")


def check_mode(mode: str) -> None:
    """Refuse an unknown mode.

    Raises:
        ValueError: for anything but ``earlier`` and ``any``.

    Example:
        >>> check_mode("any")
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, found {mode!r}")


def matching_labels(labels: Sequence[str]) -> Tensor:
    """Match labels of heads: equal, or one the beginning of the other, as ``animal`` of ``animals``.

    The relation is not transitive (``a`` matches ``ab`` and ``ac``, which do not match). An empty label stands for a
    head without one and matches nothing.

    Args:
        labels: S labels, normalised by :func:`mkbench.heads.labels.normalise_label`.

    Returns:
        (S, S) bool, symmetric, False on the diagonal.

    Example:
        >>> matching_labels(["animal", "animals", ""]).tolist()
        [[False, True, False], [True, False, False], [False, False, False]]
    """
    heads = len(labels)
    begins = [[bool(a) and b.startswith(a) for b in labels] for a in labels]
    one_way = torch.tensor(begins, dtype=torch.bool).reshape(heads, heads)
    return (one_way | one_way.T).fill_diagonal_(False)


def _partners(labels: Sequence[str], mode: Mode) -> Tensor:
    """(S, S) bool: heads in row i are those that make head i entangled."""
    check_mode(mode)
    if not len(labels):
        raise ValueError("expected the label of at least one head, found none")
    matches = matching_labels(labels)
    return matches.tril() if mode == "earlier" else matches


def entangled(labels: Sequence[str], *, mode: Mode = "earlier") -> Tensor:
    """Test which heads have a label that another head has too, (S,) bool; see :func:`entanglement`.

    Raises:
        ValueError: without heads, or for an unknown mode.

    Example:
        >>> entangled(["location", "colour", "locations"]).tolist()
        [False, False, True]
    """
    return _partners(labels, mode).any(dim=1)


def entanglement(labels: Sequence[str], *, mode: Mode = "earlier") -> float:
    """Share of heads whose label another head has too; lower is better.

    The full text of the paper was not at hand: the definition is reconstructed from its summary, and ``mode`` offers
    both readings of it.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        labels: S labels in the order of the heads (layer by layer); see :func:`matching_labels` for which compare
            equal. An empty label, a head without one, counts among the S and is never entangled.
        mode: ``earlier``: the label of a head before it in the order; ``any``: of any other head.

    Returns:
        The share, 0..1; with ``earlier`` at most (S - 1) / S.

    Raises:
        ValueError: without heads, or for an unknown mode.

    Example:
        >>> labels = ["location", "colour", "locations", "shape"]
        >>> entanglement(labels), entanglement(labels, mode="any")
        (0.25, 0.5)
    """
    return float(entangled(labels, mode=mode).double().mean())


def entanglement_interval(
    labels: Sequence[str], *, mode: Mode = "earlier", level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of :func:`entanglement` over heads.

    Heads are drawn with replacement and keep their order. Entanglement is a property of the whole set, so every sample
    is measured anew; copies of one head do not make each other entangled. A sample lacks about a third of the heads
    and with them some partners, so its share is lower on average: the interval is moved by the difference, such that
    the mean of the resampled shares falls on the share itself.

    Args:
        labels: S labels in the order of the heads.
        mode: as of :func:`entanglement`.
        level: share of the resampled values inside the interval, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        Low and high, within 0..1.

    Raises:
        ValueError: without heads, for an unknown mode, or for a level or number of resamples out of range.

    Example:
        >>> entanglement_interval(["location", "colour", "shape"])
        (0.0, 0.0)
        >>> low, high = entanglement_interval(["location", "colour"] * 20)
        >>> 0.85 < low < entanglement(["location", "colour"] * 20) < high <= 1
        True
    """
    check_resampling(level, resamples)
    partners = _partners(labels, mode).double()
    copies = draw_counts(resamples, len(labels), torch.Generator().manual_seed(seed))  # (resamples, heads)
    entangled = (copies > 0).double() @ partners.T > 0
    shares = (copies * entangled).sum(dim=1) / len(labels)
    tail = (1 - level) / 2
    quantiles = torch.quantile(shares, torch.tensor([tail, 1 - tail], dtype=torch.float64))
    low, high = (quantiles + entanglement(labels, mode=mode) - shares.mean()).clamp(0, 1).tolist()
    return low, high
