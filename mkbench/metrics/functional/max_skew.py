"""MaxSkew: how far the first results of a retrieval favour one group."""

from collections.abc import Sequence

import torch
from torch import Tensor

Counts = Tensor | Sequence[int] | Sequence[Sequence[int]]


def max_skew(counts_topk: Counts, counts_all: Counts) -> Tensor:
    """MaxSkew@k: max over groups a of ln((n_a / k) / (N_a / N)), in nats; lower is fairer.

    n_a and N_a count the images of group a among the first k results and among all N; k and N are their sums. A group
    that occurs nowhere plays no part.

    Source: Geyik, Ambler & Kenthapadi, KDD 2019, arXiv 1905.01989; as in Madasu et al. 2024, arXiv 2409.06579.

    Args:
        counts_topk: (..., A) integers, images of each group among the first k results.
        counts_all: (A,) for all, or (..., A) integers, images of each group in the whole set.

    Returns:
        (...) float64, 0 (the shares of the whole set) .. ln(N / smallest N_a).

    Raises:
        ValueError: if shapes do not fit, no image was retrieved, or more of a group than there are.

    Example:
        >>> max_skew([3, 1], [50, 50]).exp()  # 75 % of the first four, 50 % of all
        tensor(1.5000, dtype=torch.float64)
    """
    top, everything = (torch.as_tensor(counts) for counts in (counts_topk, counts_all))
    if top.ndim == 0 or everything.shape not in (top.shape, top.shape[-1:]):
        raise ValueError(f"expected counts (..., groups) twice, found {tuple(top.shape)} and {tuple(everything.shape)}")
    top, everything = top.double(), everything.to(top.device).double()
    if bool((top < 0).any()) or bool((top > everything).any()):
        raise ValueError("counts must not be negative, nor higher among the first k than among all")
    k, total = top.sum(dim=-1, keepdim=True), everything.sum(dim=-1, keepdim=True)
    if not bool((k > 0).all()):
        raise ValueError("expected at least one image among the first k, found none")
    ratios = (top / k) / (everything.clamp(min=1) / total)  # (..., groups)
    return ratios.amax(dim=-1).log()
