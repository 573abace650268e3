"""Sparse non-negative decomposition of many vectors over one dictionary, on any device."""

from typing import NamedTuple

import torch
from torch import Tensor

#: Steps between two looks at the duality gap, which costs as much as a step.
_STEPS = 10


class SparseWeights(NamedTuple):
    """Solution of a non-negative Lasso.

    Attributes:
        weights: (B, D) float64, from 0 on.
        gap: (B,) float64 duality gap, a bound on how far the objective lies above its minimum.
    """

    weights: Tensor
    gap: Tensor


def nonnegative_lasso(
    targets: Tensor, dictionary: Tensor, penalty: float, *, tolerance: float = 1e-10, most_steps: int = 20_000
) -> SparseWeights:
    """Minimise 1/2 |w C - z|^2 + penalty sum(w) over w >= 0, for every target z.

    FISTA with a restart for each target whose momentum points uphill, in float64, until the duality gap of all is
    within the tolerance. The minimiser is that of scikit-learn's ``Lasso(alpha=penalty / d, positive=True,
    fit_intercept=False)``, which divides the squared error by the width d.

    Source: Beck & Teboulle, SIAM J. Imaging Sci. 2009; restarts by O'Donoghue & Candes, 2015, arXiv 1204.3982.

    Args:
        targets: (B, d).
        dictionary: C (D, d).
        penalty: above 0.
        tolerance: duality gap to stop at; the objective of a unit target without weights is 1/2.
        most_steps: steps after which the weights are returned as they are.

    Returns:
        ``SparseWeights``; targets whose ``gap`` exceeds the tolerance did not converge.

    Raises:
        ValueError: if the penalty is not above 0.

    >>> target, dictionary = torch.tensor([[0.8, -0.6]]), torch.eye(2)
    >>> nonnegative_lasso(target, dictionary, 0.3).weights.round(decimals=4)  # 0.8 - 0.3, and nothing below 0
    tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    if penalty <= 0:
        raise ValueError(f"penalty must be above 0, found {penalty}")
    targets, dictionary = targets.double(), dictionary.double()
    curvature = torch.linalg.matrix_norm(dictionary, 2).square().clamp(min=torch.finfo(torch.float64).tiny)
    weights = ahead = targets.new_zeros(len(targets), len(dictionary))
    momentum = targets.new_ones(len(targets), 1)
    gap = _duality_gap(weights, targets, dictionary, penalty)
    for step in range(1, most_steps + 1):
        slope = (ahead @ dictionary - targets) @ dictionary.T + penalty
        moved = (ahead - slope / curvature).clamp(min=0)
        uphill = ((ahead - moved) * (moved - weights)).sum(dim=1, keepdim=True) > 0
        momentum = torch.where(uphill, 1, momentum)
        gained = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = moved + (momentum - 1) / gained * (moved - weights)
        weights, momentum = moved, gained
        if step % _STEPS == 0:
            gap = _duality_gap(weights, targets, dictionary, penalty)
            if bool((gap <= tolerance).all()):
                break
    return SparseWeights(weights, gap)


def _duality_gap(weights: Tensor, targets: Tensor, dictionary: Tensor, penalty: float) -> Tensor:
    """(B,) objective minus that of the residual scaled to be feasible for the dual problem."""
    residual = targets - weights @ dictionary
    steepest = (residual @ dictionary.T).amax(dim=1).clamp(min=penalty)
    feasible = residual * (penalty / steepest)[:, None]
    primal = residual.square().sum(dim=1) / 2 + penalty * weights.sum(dim=1)
    dual = (targets.square().sum(dim=1) - (targets - feasible).square().sum(dim=1)) / 2
    return primal - dual
