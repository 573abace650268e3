"""Parts of the foreground: PCA and K-means over the patches of a class (step 6 of the pipeline)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.concepts.linalg import principal_scores, require_finite, unit_rows
from mkbench.concepts.upscale import upscale_nearest

_MAX_LLOYD_ITERATIONS = 300
_CENTRE_SHIFT = 1e-2


def _check_rows(features: Tensor, num_parts: int) -> None:
    if features.ndim != 2 or not features.is_floating_point():
        raise ValueError(f"features must be floating (patches, width), found {tuple(features.shape)} {features.dtype}")
    if num_parts < 1:
        raise ValueError(f"num_parts must be at least 1, found {num_parts}")
    require_finite(features, name="features")


def pca_parts(features: Tensor, num_parts: int) -> Tensor:
    """PCA parts: assign every patch to the principal component it scores highest on.

    PCA of the raw, mean-centred rows in float64; the entry of largest magnitude of each component (the first on ties)
    is positive; the scores of each component are scaled to 0..1 over all rows; the part is the argmax (first wins). A
    component without variance scores 0, and there are no more components than rows or columns.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        features: (M, C) raw floating features of the foreground patches of one class.
        num_parts: number L of components.

    Returns:
        (M,) int64 labels in 0..L-1.

    Raises:
        ValueError: if the features are not (M, C) floating and finite, or num_parts is below 1.

    Example:
        >>> rows = torch.tensor([[5.0, 0.0], [-5.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> pca_parts(rows, 2).tolist()
        [0, 1, 1, 0]
    """
    _check_rows(features, num_parts)
    if features.numel() == 0:
        return torch.zeros(features.shape[0], dtype=torch.int64, device=features.device)
    scores = principal_scores(features.detach().double(), num_parts)  # (patches, components)
    scores = scores - scores.min(dim=0).values
    spread = scores.max(dim=0).values
    return (scores / torch.where(spread > 0, spread, 1)).argmax(dim=1)


def _seeded_centres(rows: Tensor, clusters: int, seed: int) -> Tensor:
    """Row numbers chosen by k-means++; drawn on the CPU, so that the device does not change the draw."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(clusters, generator=generator, dtype=torch.float64)
    chosen = [int(draws[0] * len(rows))]
    nearest = torch.full((len(rows),), torch.inf, dtype=torch.float64, device=rows.device)
    for draw in draws[1:].tolist():
        nearest = torch.minimum(nearest, (rows - rows[chosen[-1]]).square().sum(dim=1))
        nearest[chosen[-1]] = 0
        cumulated = nearest.cpu().cumsum(0)  # sums in a fixed order on every device
        # With fewer distinct rows than clusters every weight is 0: the last row, whose cluster then stays empty.
        place = torch.searchsorted(cumulated, cumulated[-1:] * draw, right=True)
        chosen.append(min(int(place), len(rows) - 1))
    return torch.tensor(chosen, device=rows.device)


def _given_centres(init: Sequence[int] | Tensor, rows: Tensor, clusters: int) -> Tensor:
    chosen = torch.as_tensor(init, dtype=torch.int64, device=rows.device)
    if chosen.shape != (clusters,):
        raise ValueError(f"init must hold {clusters} row indices, found shape {tuple(chosen.shape)}")
    if bool(((chosen < 0) | (chosen >= len(rows))).any()):
        raise ValueError(f"init must hold row indices from 0 to {len(rows) - 1}, found {chosen.tolist()}")
    return chosen


def kmeans_parts(
    features: Tensor, num_parts: int, *, init: Sequence[int] | Tensor | None = None, seed: int = 0
) -> Tensor:
    """K-means parts: assign every patch to a cluster of its direction.

    Lloyd's algorithm on L2-normalised rows in float64 until the sum over centres of the Euclidean length of their shift
    is below 1e-2 (or 300 rounds); the labels are those of the last assignment, before the last update of the centres.
    A tie goes to the lowest cluster, an empty cluster keeps its centre.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        features: (M, C) raw floating features of the foreground patches of one class; normalised inside.
        num_parts: number L of clusters; with fewer rows than that, as many clusters as rows.
        init: row indices of the first centres, one per cluster; None draws them by k-means++.
        seed: seed of that draw, unused with `init`.

    Returns:
        (M,) int64 labels in 0..L-1.

    Raises:
        ValueError: if the features are not (M, C) floating and finite, num_parts is below 1 or init does not fit.

    Example:
        >>> rows = torch.tensor([[1.0, 0.1], [0.1, 1.0], [2.0, 0.0], [0.0, 9.0]])
        >>> kmeans_parts(rows, 2, init=[0, 1]).tolist()
        [0, 1, 0, 1]
    """
    _check_rows(features, num_parts)
    rows = unit_rows(features.detach().double())  # (patches, width)
    labels = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    clusters = min(num_parts, len(rows))
    if clusters == 0:
        return labels
    chosen = _seeded_centres(rows, clusters, seed) if init is None else _given_centres(init, rows, clusters)
    centres = rows[chosen]  # (clusters, width)
    for _ in range(_MAX_LLOYD_ITERATIONS):
        # Differences, not the expanded square: equal centres must tie exactly.
        labels = torch.cdist(rows, centres, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1)
        members = F.one_hot(labels, clusters).to(rows.dtype)  # (patches, clusters)
        sizes = members.sum(dim=0)[:, None]
        means = torch.where(sizes > 0, members.mT @ rows / sizes.clamp(min=1), centres)
        shift = (means - centres).norm(dim=1).sum()
        centres = means
        if float(shift) < _CENTRE_SHIFT:
            break
    return labels


def part_masks(labels: Tensor, num_parts: int, size: int, patch_size: int | None = None) -> Tensor:
    """Pixels of every part, by nearest upscaling of its patches.

    Args:
        labels: (B, h, w) int64, -1 on background, 0..L-1 on the patches of a part.
        num_parts: number L of parts.
        size: side S of the square image, in pixels.
        patch_size: side of a patch, in pixels; see `covered_pixels`.

    Returns:
        (B, L, S, S) bool; no pixel belongs to two parts.

    Raises:
        ValueError: if the labels are not (B, h, w) int64 in -1..L-1, or the size is not positive.

    Example:
        >>> part_masks(torch.tensor([[[0, -1], [1, 1]]]), 2, 4).flatten(2).sum(dim=2).tolist()
        [[4, 8]]
    """
    if labels.ndim != 3 or labels.dtype != torch.int64:
        raise ValueError(f"labels must be int64 (images, height, width), found {tuple(labels.shape)} {labels.dtype}")
    if labels.numel() and not -1 <= int(labels.min()) <= int(labels.max()) < num_parts:
        raise ValueError(f"labels must lie in -1..{num_parts - 1}, found {int(labels.min())}..{int(labels.max())}")
    parts = torch.arange(num_parts, device=labels.device)[:, None, None]  # (parts, 1, 1)
    return upscale_nearest(labels[:, None] == parts, size, patch_size)  # (images, parts, size, size)
