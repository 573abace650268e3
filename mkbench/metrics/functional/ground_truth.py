"""Agreement of explanations with ground truth: of descriptors, of named parts, and of the part that comes first."""

from typing import NamedTuple

import torch
from torch import Tensor


class DescriptorAgreement(NamedTuple):
    """Agreement of vision concepts D_v with the V descriptors that an image shows; (B,) float64 each.

    Attributes:
        precision: share of D_v that can be seen; NaN without vision concepts.
        recall: share of what can be seen that is in D_v; NaN where nothing can be seen.
        recall_bound: the largest recall that |D_v| concepts can have, min(|D_v|, V) / V.
        chance: precision that concepts drawn at random from the bank have on average, V / D.
    """

    precision: Tensor
    recall: Tensor
    recall_bound: Tensor
    chance: Tensor


def descriptor_agreement(vision_ids: Tensor, counts: Tensor, visible: Tensor) -> DescriptorAgreement:
    """Compare the vision concepts of images with the descriptors that they show.

    An image shows more descriptors than an explanation names, so recall has a bound of its own below 1. Descriptors
    that are true of no image are never visible.

    Args:
        vision_ids: (B, Q) int64 ids of D_v, each at most once, then padding.
        counts: (B,) int64, |D_v|.
        visible: (B, D) bool.

    Returns:
        The agreement of each image, 0..1.

    Raises:
        ValueError: shapes that do not fit, or an id beyond the D descriptors.

    Example:
        >>> ids, visible = torch.tensor([[3, 0, -1]]), torch.tensor([[True, True, True, False]])
        >>> [values.item() for values in descriptor_agreement(ids, torch.tensor([2]), visible)]
        [0.5, 0.3333333333333333, 0.6666666666666666, 0.75]
    """
    images, bank = visible.shape
    if vision_ids.ndim != 2 or len(vision_ids) != images or counts.shape != (images,):
        raise ValueError(
            f"expected ids (images, concepts) and counts (images,) of {images} images, found "
            f"{tuple(vision_ids.shape)} and {tuple(counts.shape)}"
        )
    if vision_ids.numel() and int(vision_ids.max()) >= bank:
        raise ValueError(f"expected ids of {bank} descriptors, found {int(vision_ids.max())}")
    listed = torch.arange(vision_ids.shape[1], device=counts.device) < counts[:, None]  # (images, concepts)
    hits = (listed & visible.gather(1, vision_ids.clamp(min=0))).sum(1).double()
    shown = visible.sum(1)
    return DescriptorAgreement(
        precision=hits / counts,
        recall=hits / shown,
        recall_bound=torch.minimum(counts, shown).double() / shown,
        chance=shown.double() / bank,
    )


def named_part_iou(part_pixels: Tensor, named: Tensor, true_masks: Tensor) -> Tensor:
    """Mean overlap of an image's parts with the true parts that their descriptors name.

    Args:
        part_pixels: (B, L, S, S) bool, empty where a part is absent.
        named: (B, L) int64, the true part 0..P-1 that a part's best descriptor speaks of; -1 where it speaks of none.
        true_masks: (B, P, S, S) bool, empty where a true part cannot be seen.

    Returns:
        (B,) float64 in 0..1: intersection over union in pixels, averaged over the parts that are there and name a part
        that can be seen; NaN for images without one.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> part, true = torch.tensor([[[[True, True]]]]), torch.tensor([[[[False, True]]]])
        >>> named_part_iou(part, torch.tensor([[0]]), true).tolist()
        [0.5]
    """
    if part_pixels.ndim != 4 or named.shape != part_pixels.shape[:2] or true_masks.shape[2:] != part_pixels.shape[2:]:
        raise ValueError(
            "expected part pixels (images, parts, height, width), a named part for each, and true masks of the same "
            f"size, found {tuple(part_pixels.shape)}, {tuple(named.shape)} and {tuple(true_masks.shape)}"
        )
    place = named.clamp(min=0)[..., None, None].expand(-1, -1, *true_masks.shape[2:])
    ground_truth = true_masks.gather(1, place)  # (images, parts, height, width)
    counts = (named >= 0) & ground_truth.flatten(2).any(2) & part_pixels.flatten(2).any(2)
    overlap, union = ((both.flatten(2).sum(2)) for both in (ground_truth & part_pixels, ground_truth | part_pixels))
    ious = torch.where(counts, overlap / union.clamp(min=1).double(), 0.0)
    return ious.sum(1) / counts.sum(1)


def object_driven(part_pixels: Tensor, object_pixels: Tensor) -> Tensor:
    """Tell whether the first part of an image lies on its object, and not on the background.

    Source: Agarwal, Karanam & Gandhi, 2025, arXiv 2511.12978, who tell models that rest on the foreground from those
    that rest on the background; that a part counts by more than half of its pixels is ours.

    Args:
        part_pixels: (B, L, S, S) bool, empty where a part is absent; the explainer puts the most important one first.
        object_pixels: (B, S, S) bool, the pixels in which the object can be seen.

    Returns:
        (B,) float64: 1 where more than half of the first part that is there lies on the object, 0 where not; NaN for
        images without parts.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> first, second = torch.tensor([[True, True, False]]), torch.tensor([[False, False, True]])
        >>> object_driven(torch.stack([first, second])[None], first[None]).tolist()
        [1.0]
    """
    if part_pixels.ndim != 4 or object_pixels.shape != (len(part_pixels), *part_pixels.shape[2:]):
        raise ValueError(
            "expected part pixels (images, parts, height, width) and object pixels (images, height, width), found "
            f"{tuple(part_pixels.shape)} and {tuple(object_pixels.shape)}"
        )
    if part_pixels.shape[1] == 0:
        return torch.full((len(part_pixels),), torch.nan, dtype=torch.float64, device=part_pixels.device)
    there = part_pixels.flatten(2).any(2)  # (images, parts)
    first = there.int().argmax(1)[:, None, None, None].expand(-1, 1, *part_pixels.shape[2:])
    part = part_pixels.gather(1, first)[:, 0]
    inside = 2 * (part & object_pixels).flatten(1).sum(1) > part.flatten(1).sum(1)
    return torch.where(there.any(1), inside.double(), torch.nan)
