"""Saliency of patches: the second singular vector of the patch features (step 3 of the pipeline)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from mkbench.concepts.linalg import leading_directions, principal_scores, require_finite, unit_rows

Scope = Literal["class", "image"]
Method = Literal["spectral", "pca"]


def _second_left_singular(rows: Tensor) -> Tensor:
    """(groups, rows, C) -> (groups, rows): unit left singular vectors, zeros where the rank is below 2."""
    rows = unit_rows(rows)
    directions = leading_directions(rows, 2)  # (groups, C, at most 2)
    if directions.shape[-1] < 2:
        return rows.new_zeros(rows.shape[:-1])
    return unit_rows((rows @ directions[..., 1:]).squeeze(-1))


def _first_principal(rows: Tensor) -> Tensor:
    """(groups, rows, C) -> (groups, rows): scores of the raw rows on their first principal component."""
    return principal_scores(rows, 1).squeeze(-1)


_METHODS: dict[str, Callable[[Tensor], Tensor]] = {"spectral": _second_left_singular, "pca": _first_principal}


def _apply_sign_rule(values: Tensor) -> Tensor:
    """Negate every vector whose share of positive entries lies strictly between 0.5 and 1."""
    positive = (values > 0).sum(dim=-1, keepdim=True)
    entries = values.shape[-1]
    return torch.where((2 * positive > entries) & (positive < entries), -values, values)


def spectral_saliency(features: Tensor, scope: Scope = "class", method: Method = "spectral") -> Tensor:
    """Signed saliency of every patch; the prominent patches are those above 0.

    `spectral` L2-normalises the patch rows and takes the second left singular vector of the uncentred stack, which is
    the second eigenvector of the patch affinity. `pca` takes the scores on the first principal component of the raw
    rows. A foreground is smaller than its background, so the vector is negated iff the share s of its positive entries
    satisfies 0.5 < s < 1. Where that rule accepts both signs (s = 0.5, s = 0, s = 1, or many exact zeros), the sign is
    the one with the largest-magnitude loading of the right singular vector (principal component) positive.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        features: (B, N, C) floating patch features of the images of one class, before any normalisation.
        scope: `class` decomposes all patches of all images at once, `image` every image alone.
        method: `spectral` or `pca`.

    Returns:
        (B, N) float64 for float64 features, float32 otherwise. With `spectral` its length over the scope is 1. All
        zeros, so no foreground, where the second direction does not exist: a single patch, or rows that all point
        the same way. A row of zeros scores 0.

    Raises:
        ValueError: if features are not (B, N, C) floating and finite, or scope or method is unknown.

    Example:
        >>> features = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> (spectral_saliency(features) > 0).tolist()
        [[False, False, False, True]]
    """
    if features.ndim != 3 or not features.is_floating_point():
        raise ValueError(
            f"features must be floating (images, patches, width), found {tuple(features.shape)} {features.dtype}"
        )
    if scope not in ("class", "image"):
        raise ValueError(f"scope must be 'class' or 'image', found {scope!r}")
    if method not in _METHODS:
        raise ValueError(f"method must be one of {sorted(_METHODS)}, found {method!r}")
    require_finite(features, name="features")
    images, patches, width = features.shape
    dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
    if features.numel() == 0:
        return features.new_zeros(images, patches, dtype=dtype)
    rows = features.detach().double()  # (images, patches, width)
    groups = rows.reshape(1, images * patches, width) if scope == "class" else rows
    return _apply_sign_rule(_METHODS[method](groups)).reshape(images, patches).to(dtype)
