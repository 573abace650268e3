"""Balanced assignment of descriptors to parts by optimal transport (step 8 of the pipeline)."""

from collections.abc import Callable

import torch
from torch import Tensor

# Beyond this spread of the exponents the products of scaling vectors come near the range of float64.
_LARGEST_SPREAD = 500.0
# Asking which items have converged stops the device; several rounds per question hide that.
_ROUNDS_PER_CHECK = 4


def _scale(sums: Tensor, mass: Tensor, valid: Tensor) -> Tensor:
    """What brings the sums to the wanted mass; 0 for rows and columns that hold nothing."""
    return torch.where(valid, mass / torch.where(valid, sums, 1), 0)


class _Scaling:
    """Scaling vectors on exp(logits): fast, for exponents that float64 holds."""

    def __init__(self, logits: Tensor, rows: Tensor, columns: Tensor, mass: Tensor) -> None:
        self.kernel, self.rows, self.columns, self.mass = logits.exp(), rows, columns, mass
        self.u = rows.to(logits.dtype)
        self.v = columns.to(logits.dtype)

    def step(self) -> Tensor:
        """Scale rows, then columns; return the largest relative change of the column scaling, per item."""
        before = self.v
        # Sums of products, not matrix products: equal columns must come out equal to the last bit, or ties are chance.
        self.u = _scale((self.kernel * before[..., None, :]).sum(dim=-1), self.mass, self.rows)
        self.v = _scale((self.u[..., None] * self.kernel).sum(dim=-2), torch.ones_like(self.mass), self.columns)
        return (self.v - before).abs().div(torch.where(self.columns, self.v, 1)).amax(dim=-1)

    def plan(self) -> Tensor:
        """The kernel between its two scaling vectors."""
        return self.u[..., None] * self.kernel * self.v[..., None, :]


class _LogScaling:
    """The same two steps on logarithms, for temperatures where exp(logits) leaves the range of float64."""

    def __init__(self, logits: Tensor, rows: Tensor, columns: Tensor, mass: Tensor) -> None:
        self.logits, self.rows, self.columns, self.mass = logits, rows, columns, mass
        self.u = torch.zeros_like(rows, dtype=logits.dtype)
        self.v = torch.zeros_like(columns, dtype=logits.dtype)

    def step(self) -> Tensor:
        """Scale rows, then columns; return the largest change of the logarithm of the column scaling, per item."""
        before = self.v
        sums = (self.logits + before[..., None, :]).logsumexp(dim=-1)
        self.u = torch.where(self.rows, self.mass.log() - sums, 0)
        self.v = torch.where(self.columns, -(self.logits + self.u[..., None]).logsumexp(dim=-2), 0)
        return (self.v - before).abs().amax(dim=-1)

    def plan(self) -> Tensor:
        """The exponential of the scaled logits."""
        return (self.logits + self.u[..., None] + self.v[..., None, :]).exp()


_Scheme = Callable[[Tensor, Tensor, Tensor, Tensor], _Scaling | _LogScaling]


def _balance(logits: Tensor, mask: Tensor, scheme: _Scheme, *, max_iters: int, tol: float) -> Tensor:
    """(items, L, M) -> plans. An item stops when it has converged, whatever the others do."""
    rows, columns = mask.any(dim=-1), mask.any(dim=-2)
    mass = columns.sum(dim=-1, keepdim=True) / rows.sum(dim=-1, keepdim=True).clamp(min=1).to(logits.dtype)
    state = scheme(logits, rows, columns, mass)
    settled = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for iteration in range(1, max_iters + 1):
        u, v = state.u, state.v
        change = state.step()
        state.u, state.v = torch.where(settled[:, None], u, state.u), torch.where(settled[:, None], v, state.v)
        settled = settled | (change < tol)
        if iteration == max_iters or (iteration % _ROUNDS_PER_CHECK == 0 and bool(settled.all())):
            break
    return state.plan()


def sinkhorn(
    scores: Tensor,
    *,
    temperature: float = 1.0,
    max_iters: int = 1000,
    tol: float = 1e-12,
    mask: Tensor | None = None,
) -> Tensor:
    """Scale exp(scores / temperature) until rows and columns are balanced.

    Each round scales the rows to equal sums, then the columns to 1. An item of the batch stops as soon as its column
    scaling changes by less than `tol` (relative), alone, so that its plan does not depend on the rest of the
    batch. float64 throughout; items whose exponents span more than float64 holds are solved on logarithms.

    Source: Cuturi, NeurIPS 2013; used by Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        scores: (..., L, M) floating scores, higher is better; finite where the mask is True.
        temperature: positive divisor of the scores; the smaller, the closer to a hard assignment.
        max_iters: at most this many rounds.
        tol: relative change of the column scaling below which an item has converged.
        mask: (..., L, M) bool, False for entries that may carry nothing (parts or candidates that do not exist).

    Returns:
        (..., L, M) plan of the scores' type, entries in 0..1: every column with an unmasked entry sums to 1, and at
        convergence all rows with one sum to the same; masked entries are 0.

    Raises:
        ValueError: if scores have fewer than two dimensions or are not finite, the mask does not fit, the temperature
            is not positive or max_iters is below 1.

    Example:
        >>> sinkhorn(torch.tensor([[0.0, 0.0], [0.0, 0.0]])).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    if scores.ndim < 2 or not scores.is_floating_point():
        raise ValueError(
            f"scores must be floating (..., parts, candidates), found {tuple(scores.shape)} {scores.dtype}"
        )
    if temperature <= 0 or max_iters < 1:
        raise ValueError(f"temperature must be positive and max_iters at least 1, found {temperature} and {max_iters}")
    allowed = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    if allowed.shape != scores.shape or allowed.dtype != torch.bool:
        raise ValueError(f"mask must be bool {tuple(scores.shape)}, found {tuple(allowed.shape)} {allowed.dtype}")
    if not bool((torch.isfinite(scores) | ~allowed).all()):
        raise ValueError("scores must be finite where the mask is True, found NaN or infinity")
    if scores.numel() == 0:
        return scores.clone()
    shape, dtype = scores.shape, scores.dtype
    allowed = allowed.reshape(-1, *shape[-2:])
    scaled = (scores.detach().double() / temperature).reshape(-1, *shape[-2:])  # (items, parts, candidates)
    top = scaled.masked_fill(~allowed, -torch.inf).amax(dim=(-2, -1), keepdim=True)
    bottom = scaled.masked_fill(~allowed, torch.inf).amin(dim=(-2, -1), keepdim=True)
    logits = torch.where(allowed, scaled - top, -torch.inf)
    steep = (top - bottom).flatten() > _LARGEST_SPREAD  # (items,), -inf and so False where all is masked
    plans = torch.zeros_like(scaled)
    schemes: tuple[tuple[Tensor, _Scheme], ...] = ((~steep, _Scaling), (steep, _LogScaling))
    for chosen, scheme in schemes:
        if bool(chosen.any()):
            plans[chosen] = _balance(logits[chosen], allowed[chosen], scheme, max_iters=max_iters, tol=tol)
    return plans.reshape(shape).to(dtype)
