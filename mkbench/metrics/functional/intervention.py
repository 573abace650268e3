"""Intervention metrics: does what is explained change where, and only where, the image was changed?"""

from typing import NamedTuple

import torch
from torch import Tensor

#: What is changed in an image, one thing at a time, of which results have a metric each.
FACTORS = (
    *("colour", "pattern", "ears", "muzzle", "tail", "legs", "horns", "wings", "back"),
    *("background", "removed_part"),
)


class DescriptorChange(NamedTuple):
    """Agreement of the descriptors that an explanation gains and loses with those whose truth changes.

    Every tensor is (B, F, G) float64: what changes of image b in its explanation with factor f, against what becomes
    true or false with factor g. Where f = g, both are of the same pair of images; elsewhere they are mispaired.

    Attributes:
        hit_rate: share of the descriptors whose truth changes that the explanation gains or loses with it, 0..1; NaN
            where the truth of none changes.
        false_alarm: share of the descriptors whose truth stays that the explanation gains or loses, 0..1.
        direction: share of the changed descriptors of both that change in the same direction, 0..1; NaN without any.
    """

    hit_rate: Tensor
    false_alarm: Tensor
    direction: Tensor

    @property
    def youden(self) -> Tensor:
        """Youden's J: hit rate minus false alarm, -1..1; 1 for an explanation that changes as the truth does."""
        return self.hit_rate - self.false_alarm


def descriptor_change(before: Tensor, after: Tensor, true_before: Tensor, true_after: Tensor) -> DescriptorChange:
    """Compare how the descriptors of explanations change with how the truth does.

    Args:
        before: (B, D) bool, the descriptors that the explanation of each image names.
        after: (B, F, D) bool, those that it names once factor f is changed.
        true_before: (B, D) bool, the descriptors that each image shows.
        true_after: (B, F, D) bool, those that it shows once factor f is changed.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> before, after = torch.tensor([[True, False, True]]), torch.tensor([[[False, True, True]]])
        >>> change = descriptor_change(before, after, before, after)
        >>> change.hit_rate.item(), change.false_alarm.item(), change.youden.item()
        (1.0, 0.0, 1.0)
    """
    _require_pairs(before, after, true_before, true_after)
    gained, lost = (change.double() for change in _gained_and_lost(before, after))  # (images, factors, bank)
    appear, vanish = (change.double() for change in _gained_and_lost(true_before, true_after))
    right = _common(gained, appear) + _common(lost, vanish)  # (images, factors, factors)
    must = appear + vanish
    moved = _common(gained + lost, must)
    return DescriptorChange(
        hit_rate=right / must.sum(dim=2)[:, None],
        false_alarm=_common(gained + lost, 1 - must) / (1 - must).sum(dim=2)[:, None],
        direction=right / moved,
    )


def score_change(before: Tensor, after: Tensor, true_before: Tensor, true_after: Tensor) -> Tensor:
    """Probability that the score of a descriptor moves as its truth does, further than one whose truth stays.

    The area under the ROC curve of the changes of scores: of those that become true above, and of those that become
    false below, the changes of the others; ties count half. It is 0.5 for scores that do not know what changed.

    Args:
        before: (B, D) scores of the descriptors of each image, such as cosines.
        after: (B, F, D) scores once factor f is changed.
        true_before: (B, D) bool, the descriptors that each image shows.
        true_after: (B, F, D) bool, those that it shows once factor f is changed.

    Returns:
        (B, F, G) float64 in 0..1, scores of factor f against the truth of factor g; NaN where all or none changes.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> truth = torch.tensor([[True, False, True]]), torch.tensor([[[False, True, True]]])
        >>> score_change(torch.zeros(1, 3), torch.tensor([[[-0.2, 0.1, 0.0]]]), *truth).item()
        1.0
    """
    _require_pairs(before, after, true_before, true_after)
    appear, vanish = (
        change.double() for change in _gained_and_lost(true_before, true_after)
    )  # (images, factors, bank)
    stay = 1 - appear - vanish
    aucs = []
    for moves in (after.double() - before.double()[:, None]).unbind(dim=1):  # (images, bank)
        above = (moves[:, :, None] > moves[:, None]).double() + 0.5 * (moves[:, :, None] == moves[:, None])
        aucs.append(((appear @ above) * stay + (stay @ above) * vanish).sum(dim=2))
    return torch.stack(aucs, dim=1) / ((appear + vanish).sum(dim=2) * stay.sum(dim=2))[:, None]


def map_change(before: Tensor, after: Tensor, regions: Tensor) -> Tensor:
    """Concentration of the change of a map on the changed pixels: their share of |map - map'| over that of the area.

    Args:
        before: (B, S, S) a map of each image.
        after: (B, F, S, S) its map once factor f is changed.
        regions: (B, F, S, S) bool, the pixels that factor f changes.

    Returns:
        (B, F, G) float64 from 0, maps of factor f against the pixels of factor g; 1 for a map that changes everywhere
        alike, NaN for one that does not change, and without such pixels.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> region = torch.tensor([[[[True, False], [False, False]]]])
        >>> map_change(torch.zeros(1, 2, 2), torch.tensor([[[[3.0, 1.0], [0.0, 0.0]]]]), region).item()
        3.0
    """
    _require_pairs(before, after, before, regions)
    change = (after - before[:, None]).abs().flatten(2).double()  # (images, factors, pixels)
    area = regions.flatten(2).double()
    return _common(change, area) / change.sum(dim=2, keepdim=True) / area.mean(dim=2)[:, None]


def own_and_mispaired(values: Tensor) -> tuple[Tensor, Tensor]:
    """Split comparisons of pairs with the truth of all factors into those of their own and of the others.

    Args:
        values: (B, F, G) of factor f against the truth of factor g, F = G.

    Returns:
        (B, F) of each pair, and (B, F) means over the other factors of the same image, NaN where a pair has no value.

    Example:
        >>> own, mispaired = own_and_mispaired(torch.tensor([[[1.0, 0.2], [0.1, 0.8]]]))
        >>> [round(value, 3) for value in (own.mean().item(), mispaired.mean().item())]
        [0.9, 0.15]
    """
    own = values.diagonal(dim1=1, dim2=2)
    others = values.masked_fill(torch.eye(values.shape[1], dtype=torch.bool, device=values.device), torch.nan)
    return own, others.nanmean(dim=2).masked_fill(own.isnan(), torch.nan)


def _gained_and_lost(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """(B, D) and (B, F, D) bool -> what is there after alone, and what was there before alone, (B, F, D) bool each."""
    return after & ~before[:, None], before[:, None] & ~after


def _common(own: Tensor, other: Tensor) -> Tensor:
    """(B, F, D) and (B, G, D) -> (B, F, G), sums of products."""
    return own @ other.transpose(1, 2)


def _require_pairs(before: Tensor, after: Tensor, true_before: Tensor, true_after: Tensor) -> None:
    """Check that all four are of the same images and factors.

    Raises:
        ValueError: they are not.
    """
    shape = tuple(after.shape)
    wanted = {"before": (shape[0], *shape[2:]), "true_before": (shape[0], *shape[2:]), "true_after": shape}
    found = {"before": before, "true_before": true_before, "true_after": true_after}
    for name, value in found.items():
        if tuple(value.shape) != wanted[name]:
            raise ValueError(f"expected {name} of shape {wanted[name]} to fit `after`, found {tuple(value.shape)}")
