"""Topic maps of an image's parts: do heads write a part's descriptors where the part is?"""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.concepts.upscale import clear_uncovered, has_pixels
from mkbench.heads.segmentation import attention_maps, product_maps, segment
from mkbench.heads.token_readings import TokenReadings


class PartMapScores(NamedTuple):
    """Overlap of maps with the P parts of B images, IoU 0..1, higher is better; NaN for a part that is not there.

    Attributes:
        own: (B, P) float64, of the map of the part's own descriptors.
        others: (B, P) float64, of the maps of the other parts' descriptors, averaged; NaN too where no other part is
            described.
        attention: (B, P) float64, of the raw attention, which knows of no descriptor.
    """

    own: Tensor
    others: Tensor
    attention: Tensor


def score_part_maps(
    readings: TokenReadings,
    directions: Tensor,
    part_masks: Tensor,
    *,
    grid: tuple[int, int],
    patch_size: int | None = None,
) -> PartMapScores:
    """Cut the maps of all heads together at their mean (topic segmentation), and compare them with the true parts.

    The controls are the maps of the other parts' descriptors in the same image, and raw attention.

    Source: the topic segmentation of Madasu, Gandelsman, Lal & Howard, 2024 (arXiv 2409.06579); the comparison with
    true parts is mkbench's own.

    Args:
        readings: of B images, of all layers and heads that count.
        directions: (B, P, d), what the descriptors of each part say, in the joint space; zeros for a part that no
            descriptor speaks of.
        part_masks: (B, P, S, S) bool, in the geometry of the images.
        grid: rows and columns of the patches, ``backbone.grid``.
        patch_size: side of a patch in pixels, ``backbone.patch_size``.

    Raises:
        ValueError: for shapes that do not fit.

    >>> readings = TokenReadings(mixed=(torch.eye(2).view(1, 2, 1, 2),), folds=(torch.eye(2)[None],),
    ...     embedding=torch.ones(1, 2), attention=torch.tensor([0.6, 0.4]).view(1, 1, 1, 2), layers=(11,))
    >>> masks = torch.tensor([[[[True, False], [True, False]], [[False, True], [False, True]]]])
    >>> scores = score_part_maps(readings, torch.eye(2)[None], masks, grid=(1, 2), patch_size=1)
    >>> scores.own.tolist(), scores.others.tolist(), scores.attention.tolist()
    ([[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 0.0]])
    """
    images, parts = directions.shape[:2]
    if part_masks.shape[:2] != (images, parts):
        raise ValueError(
            f"Expected masks of the same images and parts as directions {tuple(directions.shape)}, got "
            f"{tuple(part_masks.shape)}."
        )
    size = part_masks.shape[-1]
    masks = clear_uncovered(part_masks, grid, patch_size)
    everything = torch.ones(1, *readings.attention.shape[1:3], dtype=torch.float64, device=readings.embedding.device)
    maps = torch.cat(
        [product_maps(readings.along(own), everything, grid=grid) for own in directions.unbind(dim=1)], dim=1
    )  # (images, parts, h, w)
    attention = attention_maps(readings, grid=grid).double()[:, None]
    drawn = torch.cat([maps, attention], dim=1).flatten(0, 1)
    found = segment(drawn, size, patch_size).masks.view(images, parts + 1, size, size)
    iou = _pairwise_iou(found, masks)  # (images, maps, masks)
    described = directions.ne(0).any(dim=2)
    there = described & has_pixels(masks)
    own = iou[:, :parts].diagonal(dim1=1, dim2=2)
    different = described[:, :, None] & ~torch.eye(parts, dtype=torch.bool, device=iou.device)  # (images, maps, masks)
    others = iou[:, :parts].masked_fill(~different, torch.nan).nanmean(dim=1)
    return PartMapScores(*(each.masked_fill(~there, torch.nan) for each in (own, others, iou[:, parts])))


def _pairwise_iou(found: Tensor, masks: Tensor) -> Tensor:
    """(B, M, S, S) and (B, P, S, S) bool -> (B, M, P) float64; 0 where neither has a pixel."""
    one, other = found.flatten(2).double(), masks.flatten(2).double()
    overlap = one @ other.transpose(1, 2)
    union = one.sum(dim=2)[:, :, None] + other.sum(dim=2)[:, None] - overlap
    return overlap / union.clamp(min=1)
