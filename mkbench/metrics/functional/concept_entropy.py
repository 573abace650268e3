"""Concept entropy: how evenly the parts of an image are described by different descriptors."""

from collections.abc import Sequence

import torch
from torch import Tensor


def concept_entropy(descriptor_ids: Tensor | Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    """Entropy of the descriptor distribution over the parts of each image.

    The descriptors of all parts are put into one list, where a descriptor that names several parts appears several
    times; p(descriptor) = its count / length of the list, and H = -sum p ln p in nats.

    The distribution is this project's reading. The paper reports 2.33 with and 1.70 without optimal transport for five
    parts of three descriptors; fifteen different descriptors would give ln 15 = 2.708 and five equal triples
    ln 3 = 1.099, so this reading puts both numbers inside its range. Higher means that the parts are told apart.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.2.

    Args:
        descriptor_ids: (..., S) int64 descriptors of all parts of an image, with repeats, padded with -1.

    Returns:
        (...) float64 entropy in nats, between 0 and ln S; 0 for an image without descriptors.

    Raises:
        ValueError: if the ids are not integers or have no dimension.

    Example:
        >>> concept_entropy(torch.tensor([[3, 3, 5, 5], [1, 1, 1, -1]])).exp().round(decimals=6).tolist()
        [2.0, 1.0]
    """
    ids = torch.as_tensor(descriptor_ids)
    if ids.ndim == 0 or (ids.is_floating_point() and ids.numel()):
        raise ValueError(f"descriptor_ids must be integers (..., descriptors), found {tuple(ids.shape)} {ids.dtype}")
    valid = ids >= 0
    copies = ((ids[..., :, None] == ids[..., None, :]) & valid[..., None, :]).sum(-1)  # (..., descriptors)
    total = valid.sum(-1).clamp(min=1).double()
    # Each of a descriptor's n copies carries 1 / total, so the sum over positions equals the sum over descriptors.
    mean_log = torch.where(valid, copies.clamp(min=1).double().log(), 0.0).sum(-1) / total
    return (total.log() - mean_log).clamp(min=0)
