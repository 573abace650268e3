"""Mutual information of concepts rather than of strings: descriptors that say the same count once."""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.metrics.functional.chance import Membership
from mkbench.metrics.functional.estimators import Estimator, curves_from_matches


class GroupedCurves(NamedTuple):
    """Curves over groups of descriptors.

    Attributes:
        curves: (B, K + 1) float64 in nats, entry r after r groups were removed, the most important first.
        counts: (B,) int64 groups of each image: its curve has one entry more, and 0 beyond.
    """

    curves: Tensor
    counts: Tensor


def group_concepts(vision_ids: Tensor, counts: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Replace descriptors by their groups and drop repeats; a group keeps its most important place.

    Args:
        vision_ids: (B, K) int64 descriptors, most important first.
        counts: (B,) int64, how many of each row are no padding.
        groups: (D,) int64 group of every descriptor.

    Returns:
        (B, K) int64 groups, most important first, padded with -1, and (B,) int64 groups of each image.

    Raises:
        ValueError: if shapes do not fit, or an id lies outside the bank.

    Example:
        >>> ids, groups = torch.tensor([[3, 0, 2, 1]]), torch.tensor([0, 0, 1, 1])
        >>> [part.tolist() for part in group_concepts(ids, torch.tensor([3]), groups)]
        [[[1, 0, -1, -1]], [2]]
    """
    if vision_ids.ndim != 2 or counts.shape != vision_ids.shape[:1] or groups.ndim != 1:
        raise ValueError(
            "expected vision_ids (images, ids), counts (images,) and groups (bank,), found "
            f"{tuple(vision_ids.shape)}, {tuple(counts.shape)} and {tuple(groups.shape)}"
        )
    if vision_ids.numel() and int(vision_ids.max()) >= len(groups):
        raise ValueError(f"vision_ids must be entries of the bank, 0..{len(groups) - 1}")
    listed = torch.arange(vision_ids.shape[1], device=counts.device) < counts[:, None]  # (images, ids)
    found = torch.where(listed, groups[vision_ids.clamp(min=0)], -1)
    repeated = (found[:, :, None] == found[:, None, :]).tril(diagonal=-1).any(dim=2)
    kept = listed & ~repeated
    order = (~kept).byte().argsort(dim=1, stable=True)  # what is dropped goes last
    return torch.where(kept, found, -1).gather(1, order), kept.sum(dim=1)


def group_membership(member: Tensor, groups: Tensor) -> Tensor:
    """Which groups the language concepts of every class speak of.

    Args:
        member: (Y, D) bool, which descriptors are language concepts of a class.
        groups: (D,) int64 group of every descriptor, 0..G-1.

    Returns:
        (Y, G) bool.

    Example:
        >>> group_membership(torch.tensor([[True, True, False]]), torch.tensor([0, 0, 1])).tolist()
        [[True, False]]
    """
    counts = torch.zeros(len(member), int(groups.max()) + 1, dtype=torch.int32, device=member.device)
    return counts.index_add_(1, groups, member.int()) > 0


def grouped_curves(
    vision_ids: Tensor,
    counts: Tensor,
    member: Tensor | Membership,
    conditioning: Tensor,
    groups: Tensor,
    *,
    estimator: Estimator = "paper",
) -> GroupedCurves:
    """Mutual information curves with descriptors counted by what they state.

    N, M and K of :func:`mutual_information` are numbers of groups: of those that the image's descriptors state, those
    that the language concepts of its class state, and those in both. A paraphrase of a descriptor that is there changes
    none of them, while it changes the published score.

    Args:
        vision_ids: (B, K) int64 distinct descriptors, most important first.
        counts: (B,) int64, how many of each row are no padding.
        member: (Y, D) bool, the language concepts of every class, or a :class:`Membership`.
        conditioning: (B,) int64, the class that each image is compared with.
        groups: (D,) int64 group of every descriptor, 0..G-1.
        estimator: ``paper`` or ``shannon``, the latter over the G groups.

    Returns:
        The curves and their lengths.

    Raises:
        ValueError: if shapes do not fit, or an id lies outside the bank.

    Example:
        >>> ids, member = torch.tensor([[0, 1, 2]]), torch.tensor([[True, True, False]])
        >>> groups, own = torch.tensor([0, 0, 1]), torch.tensor([0])
        >>> curves, counts = grouped_curves(ids, torch.tensor([3]), member, own, groups)
        >>> curves.exp().round().tolist(), counts.tolist()  # N = 2, M = 1, K = 1; then nothing is shared
        ([[2.0, 1.0, 1.0, 1.0]], [2])
    """
    ids, sizes = group_concepts(vision_ids, counts, groups)
    language = group_membership(member[conditioning], groups)  # (images, groups)
    present = ids >= 0
    hits = present & language.gather(1, ids.clamp(min=0))
    curves = curves_from_matches(
        hits, present, sizes, language.sum(dim=1), estimator=estimator, bank_size=language.shape[1]
    )
    return GroupedCurves(curves, sizes)
