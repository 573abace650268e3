"""Language concepts and mutual concepts against ground truth: are they true of the class, and visible in the image?"""

from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.metrics.functional.chance import Membership, membership, shared_concepts


class LanguageAgreement(NamedTuple):
    """How the language concepts D_y of a class agree with what is true of it, float64 scalars in 0..1.

    Attributes:
        precision: share of D_y that is true of the class; NaN without language concepts.
        recall: share of what is true of the class that is in D_y; NaN where nothing is true.
        precision_permuted: precision with the language concepts of the other classes, averaged; NaN with one class.
        recall_permuted: recall with those of the other classes, averaged; NaN with one class.
    """

    precision: Tensor
    recall: Tensor
    precision_permuted: Tensor
    recall_permuted: Tensor


def language_agreement(member: Tensor | Membership, class_index: int, true: Tensor) -> LanguageAgreement:
    """Compare the language concepts of a class with what is true of it.

    Args:
        member: (Y, D) bool, the language concepts of every class, or a :class:`Membership`.
        class_index: the class.
        true: (D,) bool, which descriptors are true of the class.

    Returns:
        The agreement; the permuted values are the means over all ways of giving the class the concepts of another.

    Raises:
        ValueError: shapes that do not fit, or a class that there is not.

    Example:
        >>> member = torch.tensor([[True, True, False], [False, False, True]])
        >>> [value.item() for value in language_agreement(member, 0, torch.tensor([True, False, False]))]
        [0.5, 1.0, 0.0, 0.0]
    """
    if len(member.shape) != 2 or true.shape != member.shape[1:]:
        raise ValueError(
            f"expected member (classes, bank) and true (bank,), found {tuple(member.shape)} and {tuple(true.shape)}"
        )
    if not 0 <= class_index < len(member):
        raise ValueError(f"class_index must be one of 0..{len(member) - 1}, found {class_index}")
    right, listed = shared_concepts(member, torch.stack([true, torch.ones_like(true)])).double().unbind(dim=1)
    precision, recall = right / listed, right / true.sum()  # (classes,)
    others = torch.arange(len(member), device=true.device) != class_index
    return LanguageAgreement(
        precision[class_index], recall[class_index], precision[others].nanmean(), recall[others].mean()
    )


class MutualAgreement(NamedTuple):
    """How the concepts that both encoders name agree with what images show, (B,) float64 each.

    Attributes:
        precision: share of them that the image shows; NaN without mutual concepts.
        permuted: the same with the language concepts of the other classes, averaged over those with which the image
            has concepts in common; NaN without any.
    """

    precision: Tensor
    permuted: Tensor


def mutual_agreement(
    vision_ids: Tensor, counts: Tensor, member: Tensor | Membership, conditioning: Tensor, visible: Tensor
) -> MutualAgreement:
    """Compare the mutual concepts of images, vision and language concepts at once, with what the images show.

    Args:
        vision_ids: (B, K) int64 distinct vision concepts, padded with -1.
        counts: (B,) int64, how many of each row are no padding.
        member: (Y, D) bool, the language concepts of every class, or a :class:`Membership`.
        conditioning: (B,) int64, the class whose language concepts belong to the image.
        visible: (B, D) bool, which descriptors the image shows.

    Returns:
        The agreement of each image.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> member = torch.tensor([[True, True, False], [False, False, True]])
        >>> ids, visible = torch.tensor([[1, 0, 2]]), torch.tensor([[True, False, False]])
        >>> [value.item() for value in mutual_agreement(ids, torch.tensor([3]), member, torch.tensor([0]), visible)]
        [0.5, 0.0]
    """
    images, bank = visible.shape
    if vision_ids.ndim != 2 or len(vision_ids) != images or not counts.shape == conditioning.shape == (images,):
        raise ValueError(
            f"expected ids (images, concepts), counts and conditioning (images,) of {images} images, found "
            f"{tuple(vision_ids.shape)}, {tuple(counts.shape)} and {tuple(conditioning.shape)}"
        )
    if len(member.shape) != 2 or member.shape[1] != bank:
        raise ValueError(f"expected member (classes, {bank}), found {tuple(member.shape)}")
    listed = torch.arange(vision_ids.shape[1], device=counts.device) < counts[:, None]  # (images, concepts)
    concepts = membership(torch.where(listed, vision_ids, -1), bank)  # (images, bank)
    shown = shared_concepts(member, concepts & visible).double()  # (classes, images)
    precision = shown / shared_concepts(member, concepts)
    own = torch.arange(len(member), device=counts.device)[:, None] == conditioning
    return MutualAgreement(precision.T[own.T], precision.masked_fill(own, torch.nan).nanmean(dim=0))
