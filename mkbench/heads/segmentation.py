"""Zero-shot segmentation from what the attention heads add along class names."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.concepts.upscale import covered_pixels
from mkbench.heads.contributions import HeadContributions
from mkbench.heads.head_values import Head, patch_contributions, pick_heads
from mkbench.heads.token_readings import TokenReadings


class Segmentation(NamedTuple):
    """Segmentation of images: maps of pixels and the objects cut out of them.

    Attributes:
        scores: (B, S, S) in 0..1, higher for the object.
        masks: (B, S, S) bool, the pixels above the mean score of their image.
    """

    scores: Tensor
    masks: Tensor


def segment(maps: Tensor, size: int, patch_size: int | None = None) -> Segmentation:
    """Bring maps of patches to pixels (bilinear), scale each to 0..1, and cut it at its mean.

    Args:
        maps: (B, h, w).
        size: side S of the images, in pixels. A mask to compare with must have gone through the same resizing as
            the image (``mkbench.datamodules.ground_truth_geometry``).
        patch_size: side P of a patch, in pixels, ``backbone.patch_size``; None: the largest that fits.

    Returns:
        ``Segmentation``; pixels that no patch covers are background with a score of 0. A map without contrast has
        scores of 0 and no object.

    Raises:
        ValueError: for maps of another shape, or a size below a pixel for each patch.

    >>> segment(torch.tensor([[[0.0, 4.0]]]), 2)
    Segmentation(scores=tensor([[[0., 1.],
             [0., 1.]]]), masks=tensor([[[False,  True],
             [False,  True]]]))
    """
    if maps.ndim != 3 or 0 in maps.shape[1:] or size < 1:
        raise ValueError(f"Expected maps (B, h, w) and a size of at least 1, got {tuple(maps.shape)} and {size}.")
    height, width = (covered_pixels(size, side, patch_size) for side in maps.shape[1:])
    whole = [side * (patch_size or size // side) for side in maps.shape[1:]]  # the edge may cut the last patches off
    pixels = F.interpolate(maps[:, None], whole, mode="bilinear", align_corners=False)[:, 0, :height, :width]
    low, high = pixels.amin(dim=(1, 2), keepdim=True), pixels.amax(dim=(1, 2), keepdim=True)
    span = high - low
    # Clamped, because a quotient of rounded numbers may leave 0..1.
    scores = ((pixels - low) / torch.where(span > 0, span, 1)).clamp(0, 1)
    masks = scores > scores.mean(dim=(1, 2), keepdim=True)
    left_over = (0, size - width, 0, size - height)
    return Segmentation(F.pad(scores, left_over), F.pad(masks, left_over))  # (B, S, S)


def class_maps(
    contributions: HeadContributions,
    class_embeddings: Tensor,
    classes: Tensor,
    *,
    grid: tuple[int, int],
    heads: Sequence[Head] | None = None,
) -> Tensor:
    """Map where heads write a class rather than the average class.

    map_n = <sum over heads of what they add by attending to patch n, t_c> minus the mean of the same over all classes.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), section 4.

    Args:
        contributions: of B images, by token.
        class_embeddings: (classes, d) unit rows.
        classes: (B,) int64, the class that is looked for in each image.
        grid: rows and columns of the patches, ``backbone.grid``.
        heads: the heads that are summed; by default all of all layers that the contributions tell apart.

    Returns:
        (B, h, w).

    Raises:
        ValueError: for contributions without tokens, or shapes, heads or classes that do not fit.

    >>> ones = torch.ones(1, 2)
    >>> terms = HeadContributions(heads=torch.eye(2).view(1, 1, 2, 1, 2), mlp=torch.zeros(1, 1, 2), initial=0 * ones,
    ...     rest=0 * ones, constant=0 * ones, embedding=ones, attention=torch.ones(1, 1, 1, 2), layers=(11,))
    >>> class_maps(terms, torch.eye(2), torch.tensor([1]), grid=(1, 2))
    tensor([[[-0.5000,  0.5000]]])
    """
    patches = patch_contributions(contributions, grid)  # (B, L, N, H, d)
    images, width = len(patches), patches.shape[-1]
    if class_embeddings.ndim != 2 or class_embeddings.shape[1] != width or classes.shape != (images,):
        raise ValueError(
            f"Expected class embeddings (classes, {width}) and the class of {images} images, got "
            f"{tuple(class_embeddings.shape)} and {tuple(classes.shape)}."
        )
    directions = class_directions(class_embeddings.to(patches), classes)  # (B, d)
    by_patch = patches.transpose(1, 2)  # (B, N, L, H, d)
    picked = by_patch.flatten(2, 3) if heads is None else pick_heads(by_patch, heads, layers=contributions.layers)
    return torch.einsum("bnsd,bd->bn", picked, directions).view(images, *grid)


def class_directions(class_embeddings: Tensor, classes: Tensor) -> Tensor:
    """Return the class of each image less the average class: the direction that its map is the product with.

    Args:
        class_embeddings: (classes, d) unit rows.
        classes: (B,) int64.

    Returns:
        (B, d).

    Raises:
        ValueError: for classes that there are not.

    >>> class_directions(torch.eye(2), torch.tensor([1]))
    tensor([[-0.5000,  0.5000]])
    """
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < len(class_embeddings):
        raise ValueError(f"Expected classes of 0 to {len(class_embeddings) - 1}, got {classes.tolist()}.")
    return class_embeddings[classes.to(class_embeddings.device)] - class_embeddings.mean(dim=0)


def product_maps(products: Tensor, shares: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Map what several choices of heads add along a direction: ``class_maps`` without contributions in joint space.

    Args:
        products: (B, L, T, H), of ``TokenReadings.along`` with ``class_directions``; the last N tokens are the patches.
        shares: (R, L, H), how much each head counts in each of R choices, such as 1 or 0.
        grid: rows and columns of the patches, ``backbone.grid``.

    Returns:
        (B, R, h, w) float64.

    Raises:
        ValueError: for shapes that do not fit.

    >>> product_maps(torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([[[1, 1]], [[0, 1]]]), grid=(1, 2)).tolist()
    [[[[1.0, 5.0]], [[1.0, 3.0]]]]
    """
    patches = grid[0] * grid[1]
    if products.ndim != 4 or shares.shape[1:] != products.shape[1::2] or not 0 < patches <= products.shape[2]:
        raise ValueError(
            f"Expected products (B, L, T, H), shares (R, L, H) and a grid of at most T patches, got "
            f"{tuple(products.shape)}, {tuple(shares.shape)} and {grid[0]} x {grid[1]}."
        )
    last = products[:, :, -patches:].double()
    return torch.einsum("blnh,rlh->brn", last, shares.to(last)).view(len(products), len(shares), *grid)


def head_shares(heads: Sequence[Head], contributions: HeadContributions | TokenReadings) -> Tensor:
    """Return a choice of heads as ``product_maps`` takes it, (L, H): 1 for those that are chosen, 0 for the others.

    >>> readings = TokenReadings((), (), torch.ones(1, 2), torch.ones(1, 2, 3, 5), layers=(10, 11))
    >>> head_shares([(11, 0)], readings).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    shares = torch.zeros(contributions.attention.shape[1:3], dtype=torch.float64)
    layers, numbers = zip(*heads, strict=True)
    shares[[contributions.layers.index(layer) for layer in layers], list(numbers)] = 1
    return shares


def attention_maps(contributions: HeadContributions | TokenReadings, *, grid: tuple[int, int]) -> Tensor:
    """Map what the class token takes from each patch in the last layer, averaged over heads: a map of no class.

    The raw attention that published tables compare with; the control of ``class_maps``.

    Args:
        contributions: of B images; the last of their layers is read.
        grid: rows and columns of the patches, ``backbone.grid``.

    Returns:
        (B, h, w), not negative.

    Raises:
        ValueError: for a grid of more patches than there are tokens.

    >>> ones = torch.ones(1, 1)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 1, 1), mlp=ones[None], initial=ones, rest=ones, constant=ones,
    ...     embedding=ones, attention=torch.tensor([0.5, 0.1, 0.4]).view(1, 1, 1, 3), layers=(11,))
    >>> attention_maps(terms, grid=(1, 2))
    tensor([[[0.1000, 0.4000]]])
    """
    last = contributions.attention[:, contributions.layers.index(max(contributions.layers))].mean(dim=1)  # (B, T)
    patches, tokens = grid[0] * grid[1], last.shape[1]
    if not 0 < patches <= tokens:
        raise ValueError(f"Expected a grid of at most {tokens} patches, got {grid[0]} x {grid[1]}.")
    return last[:, tokens - patches :].reshape(-1, *grid)


def random_heads(contributions: HeadContributions | TokenReadings, count: int, *, seed: int) -> list[Head]:
    """Draw different heads of the layers that the contributions tell apart: the control of a choice of heads.

    Args:
        contributions: of any images.
        count: how many.
        seed: of the draw.

    Returns:
        Sorted pairs of a layer and a head.

    Raises:
        ValueError: for fewer than 1, or more than there are.

    >>> ones = torch.ones(1, 1)
    >>> terms = HeadContributions(heads=torch.ones(1, 1, 2, 1), mlp=ones[None], initial=ones, rest=ones, constant=ones,
    ...     embedding=ones, attention=torch.ones(1, 1, 2, 1), layers=(11,))
    >>> random_heads(terms, 2, seed=0)
    [(11, 0), (11, 1)]
    """
    width = contributions.attention.shape[2]
    every = [(layer, head) for layer in sorted(contributions.layers) for head in range(width)]
    if not 1 <= count <= len(every):
        raise ValueError(f"Expected 1 to {len(every)} heads, got {count}.")
    drawn = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:count]
    return [every[place] for place in sorted(drawn.tolist())]
